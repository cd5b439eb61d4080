#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "guest_machine.h"

namespace xcl::sim {

SharedMemory::SharedMemory(const char* name, size_t bytes)
    : bytes_(bytes), fd_(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (!fd_.isOpen()) throw HostFailure{"memfd_create", errno, "cannot make shared memory"};
  if (ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0 ||
      fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw HostFailure{"ftruncate", errno, "cannot size shared memory"};
  }
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_.get(), 0);
  if (at == MAP_FAILED) throw HostFailure{"mmap", errno, "cannot map shared memory"};
  data_ = static_cast<std::byte*>(at);
}

SharedMemory::~SharedMemory() { munmap(data_, bytes_); }

}  // namespace xcl::sim
