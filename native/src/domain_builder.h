// From a spec to a domain that can be unpaused, through libxenctrl and libxenguest: native/hypervisor.ts,
// DomainBuilder. Every step throws Failure with the step's call as op; what exists of the domain by then
// stays for the caller to destroy.
#pragma once

#include <cstdint>

#include "domain_spec.h"
#include "xen_handle.h"

struct xc_dom_image;

namespace xcl {

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
