// From a spec to a domain that can be unpaused, in the steps that libxenctrl and libxenguest take, and with
// their names for what fails. A failed step leaves what the steps before it made, until the domain is
// destroyed.
#pragma once

#include <array>
#include <string>

#include "domain.h"
#include "kernel_image.h"

namespace xcl::sim {

struct ImageSpec {
  std::string kernel;
  /** Empty: none. */
  std::string ramdisk;
  std::string cmdline;
};

class DomainBuilder {
 public:
  explicit DomainBuilder(Machine& machine) : machine_(machine) {}

  /** @returns the domid */
  uint32_t create(const CreateArgs& args);
  /** @returns the store's port and the console's */
  std::array<uint32_t, 2> prepare(Domain& domain, const CreateArgs& args);
  /** @returns the frame of the store's ring and of the console's */
  std::array<uint64_t, 2> build(Domain& domain, const CreateArgs& args, const ImageSpec& image);

 private:
  Machine& machine_;
  KernelImages images_;
};

}  // namespace xcl::sim
