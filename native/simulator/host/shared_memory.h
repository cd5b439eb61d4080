// A memfd that this process maps and that others may map, too: wraps the descriptor and the mapping, and
// frees both. Its size is sealed, so that nobody it is passed to can take pages away under the machine.
#pragma once

#include <cstddef>

#include "../../src/unique_fd.h"

namespace xcl::sim {

class SharedMemory {
 public:
  /** All zero; takes memory only where it is touched. @throws HostFailure */
  SharedMemory(const char* name, size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  int fd() const { return fd_.get(); }
  std::byte* data() const { return data_; }

 private:
  size_t bytes_;
  UniqueFd fd_;
  std::byte* data_ = nullptr;
};

}  // namespace xcl::sim
