#include "kernel_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "../../src/unique_fd.h"
#include "guest_machine.h"

namespace xcl::sim {

namespace {

using Bytes = std::span<const uint8_t>;
using Fitness = KernelImages::Fitness;

constexpr std::string_view kSimulated = "#!xcl-guest";
// Where a Linux bzImage says that it is one (Documentation/arch/x86/boot.rst).
constexpr size_t kBootFlagAt = 0x1fe;
constexpr size_t kBootMagicAt = 0x202;
constexpr std::string_view kBootFlag = "\x55\xaa";
constexpr std::string_view kBootMagic = "HdrS";
// xen/include/public/elfnote.h
constexpr std::string_view kXenNote{"Xen", 4};
constexpr uint32_t kPhys32Entry = 18;
// Other kernels than are in use now need not be known.
constexpr size_t kMostKnown = 256;

bool startsWith(Bytes file, size_t at, std::string_view text) {
  return file.size() >= at + text.size() && std::memcmp(file.data() + at, text.data(), text.size()) == 0;
}

// A structure out of a file that says anything it likes: nothing when it does not lie in it.
template <typename T>
bool read(Bytes file, uint64_t at, T& into) {
  if (at > file.size() || file.size() - at < sizeof(T)) return false;
  std::memcpy(&into, file.data() + at, sizeof(T));
  return true;
}

void readNotes(Bytes file, uint64_t at, uint64_t bytes, Fitness& fitness) {
  if (at > file.size()) return;
  const Bytes notes = file.subspan(at, std::min<uint64_t>(bytes, file.size() - at));
  const auto padded = [](uint64_t size) { return (size + 3) & ~3ULL; };
  Elf32_Nhdr note{};
  for (uint64_t next = 0; read(notes, next, note);) {
    const uint64_t name = next + sizeof(note);
    if (note.n_namesz == kXenNote.size() && startsWith(notes, name, kXenNote)) {
      fitness.pv = true;
      if (note.n_type == kPhys32Entry) fitness.pvh = true;
    }
    next = name + padded(note.n_namesz) + padded(note.n_descsz);
  }
}

template <typename Header, typename Segment>
Fitness readElf(Bytes file) {
  Fitness fitness;
  Header header{};
  if (!read(file, 0, header) || header.e_phentsize != sizeof(Segment)) return fitness;
  for (uint32_t i = 0; i < header.e_phnum; i++) {
    Segment segment{};
    if (!read(file, header.e_phoff + i * sizeof(Segment), segment)) break;
    if (segment.p_type == PT_NOTE) readNotes(file, segment.p_offset, segment.p_filesz, fitness);
  }
  return fitness;
}

Fitness judge(Bytes file) {
  if (startsWith(file, 0, kSimulated)) return {true, true};
  if (startsWith(file, kBootFlagAt, kBootFlag) && startsWith(file, kBootMagicAt, kBootMagic)) return {true, true};
  if (!startsWith(file, 0, ELFMAG) || file.size() <= EI_CLASS) return {};
  return file[EI_CLASS] == ELFCLASS64 ? readElf<Elf64_Ehdr, Elf64_Phdr>(file) : readElf<Elf32_Ehdr, Elf32_Phdr>(file);
}

struct stat statOf(const char* op, const std::string& path) {
  struct stat facts {};
  int error = stat(path.c_str(), &facts) == 0 ? 0 : errno;
  if (error == 0 && !S_ISREG(facts.st_mode)) error = S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
  if (error == 0 && access(path.c_str(), R_OK) != 0) error = errno;
  if (error != 0) throw HostFailure{op, error, "cannot read " + path};
  return facts;
}

}  // namespace

KernelImages::Fitness KernelImages::look(const std::string& path) {
  const char* op = "dom_kernel_file";
  const struct stat facts = statOf(op, path);
  const Key key{facts.st_dev, facts.st_ino, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_size};
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.isOpen()) throw HostFailure{op, errno, "cannot read " + path};
  Fitness fitness;
  const auto bytes = static_cast<size_t>(facts.st_size);
  void* at = bytes == 0 ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
  if (at != MAP_FAILED) {
    fitness = judge(Bytes(static_cast<const uint8_t*>(at), bytes));
    munmap(at, bytes);
  }
  if (known_.size() >= kMostKnown) known_.clear();
  return known_[key] = fitness;
}

void KernelImages::requireRamdisk(const std::string& path) const { statOf("dom_module_file", path); }

}  // namespace xcl::sim
