// What Xen's domain builder would say of a kernel file: whether it can be read, and whether it is a kernel for
// this kind of domain. A simulated kernel is a file that begins with `#!xcl-guest`.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace xcl::sim {

class KernelImages {
 public:
  /** @throws HostFailure dom_kernel_file: ENOENT, EACCES, EISDIR …; the file is not read if it was before */
  struct Fitness {
    bool pv = false;
    bool pvh = false;
  };
  Fitness look(const std::string& path);
  /** @throws HostFailure dom_module_file */
  void requireRamdisk(const std::string& path) const;

 private:
  using Key = std::tuple<dev_t, ino_t, int64_t, int64_t, off_t>;
  std::map<Key, Fitness> known_;
};

}  // namespace xcl::sim
