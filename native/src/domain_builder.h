// From a spec to a domain that can be unpaused, through libxenctrl and libxenguest: native/hypervisor.ts,
// DomainBuilder. Every step throws Failure with the step's call as op; what exists of the domain by then
// stays for the caller to destroy.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "xen_handle.h"

struct xc_dom_image;

namespace xcl {

struct DomainSpec {
  bool isPvh = false;
  std::array<uint8_t, 16> uuid{};
  uint32_t vcpus = 0;
  uint64_t memoryKiB = 0;
  uint64_t maxMemoryKiB = 0;
  uint32_t maxEvtchnPort = 0;
  /** -1: Xen's default. */
  int32_t maxGrantFrames = 0;
  int32_t maxMaptrackFrames = 0;
};

struct DomainPorts {
  uint32_t store = 0;
  uint32_t console = 0;
};

struct ImageSpec {
  std::string kernel;
  /** Empty: none. */
  std::string ramdisk;
  std::string cmdline;
};

struct BuiltImage {
  uint64_t storeGfn = 0;
  uint64_t consoleGfn = 0;
};

class DomainBuilder {
 public:
  explicit DomainBuilder(const XenHandle& xen) : xen_(xen) {}

  /** @param hasHap the host has nested paging, which PVH domains then use; @returns the domid */
  uint32_t create(const DomainSpec& spec, bool hasHap) const;
  DomainPorts prepare(uint32_t domid, const DomainSpec& spec, bool hasHap) const;
  BuiltImage build(uint32_t domid, const DomainSpec& spec, const DomainPorts& ports, const ImageSpec& image) const;

 private:
  void loadFiles(xc_dom_image* dom, uint32_t domid, const ImageSpec& image) const;
  static void layOutPvh(xc_dom_image* dom, const DomainSpec& spec);
  void addAcpi(xc_dom_image* dom, uint32_t domid, uint32_t vcpus) const;
  void describeMemory(xc_dom_image* dom, uint32_t domid) const;

  const XenHandle& xen_;
};

}  // namespace xcl
