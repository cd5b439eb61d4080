// The real machine: wraps one libxenevtchn, one libxengnttab and one libxenforeignmemory handle, and one of
// libxenctrl once it is needed, all closed with the object.
#pragma once

// The libraries' headers do not say it themselves. That of libxenctrl comes first: it says whom Xen's are for.
extern "C" {
#include <xenctrl.h>

#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
}

#include <memory>
#include <optional>

#include "machine.h"
#include "xen_handle.h"
#include "xen_log.h"

namespace xcl {

struct XenHandleCloser {
  void operator()(xenevtchn_handle* handle) const { xenevtchn_close(handle); }
  void operator()(xengnttab_handle* handle) const { xengnttab_close(handle); }
  void operator()(xenforeignmemory_handle* handle) const { xenforeignmemory_close(handle); }
};

class MachineXen : public Machine {
 public:
  /**
   * @param maxGrants pages that may be mapped through grants at a time
   * @param inheritedFd of the program before, with its ports; -1: none
   */
  MachineXen(uint32_t maxGrants, int inheritedFd);

  std::unique_ptr<MappedPage> mapGrant(uint32_t domid, uint32_t gref) override;
  std::unique_ptr<MappedPage> mapFrame(uint32_t domid, uint64_t gfn) override;
  std::unique_ptr<MappedPage> mapSelf(uint32_t& remotePort) override;
  uint32_t bind(uint32_t domid, uint32_t remotePort) override;
  uint32_t adoptPort(uint32_t domid, uint32_t localPort, uint32_t remotePort) override;
  int inheritableFd() const override { return pendingFd(); }
  uint32_t bindVirq(uint32_t virq) override;
  void unbind(uint32_t localPort) override;
  bool isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) override;
  void notify(uint32_t localPort) override;
  int pendingFd() const override;
  size_t readPending(std::span<uint32_t> ports) override;
  void unmask(std::span<const uint32_t> ports) override;

 private:
  XenLog log_;
  bool isInherited_;
  std::unique_ptr<xenevtchn_handle, XenHandleCloser> evtchn_;
  std::unique_ptr<xengnttab_handle, XenHandleCloser> gnttab_;
  std::unique_ptr<xenforeignmemory_handle, XenHandleCloser> foreignMemory_;
  /** For `isBound`, which not every program asks. */
  std::optional<XenHandle> control_;
};

}  // namespace xcl
