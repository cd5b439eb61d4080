#include "domctl.h"

#include <algorithm>
#include <cerrno>

#include "failure.h"

namespace xcl {

namespace {

constexpr uint32_t kListedAtOnce = 1024;
constexpr uint32_t kConsoleBytes = 16384;
constexpr uint64_t kPageKiB = 4;

}  // namespace

std::optional<xc_domaininfo_t> Domctl::info(uint32_t domid) const {
  XenLog::clear();
  xc_domaininfo_t found{};
  const int count = xc_domain_getinfolist(xen_.get(), domid, 1, &found);
  XenHandle::check(count, "domain_getinfolist", "cannot ask for the domain", domid, EIO);
  if (count == 0 || found.domain != domid) return std::nullopt;
  return found;
}

std::vector<xc_domaininfo_t> Domctl::list(uint32_t first) const {
  XenLog::clear();
  std::vector<xc_domaininfo_t> all;
  for (;;) {
    const size_t before = all.size();
    all.resize(before + kListedAtOnce);
    const int count = xc_domain_getinfolist(xen_.get(), first, kListedAtOnce, all.data() + before);
    XenHandle::check(count, "domain_getinfolist", "cannot list the domains", {}, EIO);
    all.resize(before + static_cast<size_t>(count));
    if (static_cast<uint32_t>(count) < kListedAtOnce) return all;
    first = all.back().domain + 1U;
  }
}

HostFacts Domctl::host() const {
  XenLog::clear();
  xc_physinfo_t physical{};
  XenHandle::check(xc_physinfo(xen_.get(), &physical), "physinfo", "cannot ask for the host's facts", {}, EIO);
  const int number = xc_version(xen_.get(), XENVER_version, nullptr);
  XenHandle::check(number, "version", "cannot ask for Xen's version", {}, EIO);
  xen_extraversion_t extra{};
  XenHandle::check(xc_version(xen_.get(), XENVER_extraversion, &extra), "version", "cannot ask for Xen's version", {},
                   EIO);
  xen_capabilities_info_t caps{};
  XenHandle::check(xc_version(xen_.get(), XENVER_capabilities, &caps), "version", "cannot ask for Xen's abilities", {},
                   EIO);
  HostFacts facts;
  facts.version = std::to_string(number >> 16) + "." + std::to_string(number & 0xffff) + extra;
  facts.totalKiB = physical.total_pages * kPageKiB;
  facts.freeKiB = physical.free_pages * kPageKiB;
  facts.cpus = physical.nr_cpus;
  facts.caps = caps;
  while (!facts.caps.empty() && facts.caps.back() == ' ') facts.caps.pop_back();
  facts.hasHap = (physical.capabilities & XEN_SYSCTL_PHYSCAP_hap) != 0;
  return facts;
}

void Domctl::pause(uint32_t domid) const {
  XenLog::clear();
  XenHandle::check(xc_domain_pause(xen_.get(), domid), "domain_pause", "cannot pause", domid, EIO);
}

void Domctl::unpause(uint32_t domid) const {
  XenLog::clear();
  XenHandle::check(xc_domain_unpause(xen_.get(), domid), "domain_unpause", "cannot unpause", domid, EIO);
}

void Domctl::destroy(uint32_t domid) const {
  XenLog::clear();
  int status = 0;
  // Freeing much memory may be broken off by Xen and has to be asked for again.
  do {
    status = xc_domain_destroy(xen_.get(), domid);
  } while (status < 0 && (errno == EAGAIN || errno == EINTR));
  XenHandle::check(status, "domain_destroy", "cannot destroy", domid, EIO);
}

ConsoleText Domctl::readConsoleRing(uint32_t index) const {
  XenLog::clear();
  ConsoleText text;
  text.bytes.resize(kConsoleBytes);
  uint32_t count = kConsoleBytes;
  const int status = xc_readconsolering(xen_.get(), text.bytes.data(), &count, 0, 1, &index);
  XenHandle::check(status, "readconsolering", "cannot read Xen's console", {}, EIO);
  text.bytes.resize(std::min(count, kConsoleBytes));
  text.nextIndex = index;
  return text;
}

}  // namespace xcl
