// Life and death of domains through libxenctrl: native/hypervisor.ts, DomainControl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "xen_handle.h"

namespace xcl {

struct HostFacts {
  std::string version;
  uint64_t totalKiB = 0;
  uint64_t freeKiB = 0;
  uint32_t cpus = 0;
  std::string caps;
  bool hasHap = false;
};

struct ConsoleText {
  std::vector<char> bytes;
  uint32_t nextIndex = 0;
};

class Domctl {
 public:
  explicit Domctl(const XenHandle& xen) : xen_(xen) {}

  std::optional<xc_domaininfo_t> info(uint32_t domid) const;
  /** All domains from `first` on, in ascending order. */
  std::vector<xc_domaininfo_t> list(uint32_t first) const;
  HostFacts host() const;
  void pause(uint32_t domid) const;
  void unpause(uint32_t domid) const;
  void destroy(uint32_t domid) const;
  ConsoleText readConsoleRing(uint32_t index) const;

 private:
  const XenHandle& xen_;
};

}  // namespace xcl
