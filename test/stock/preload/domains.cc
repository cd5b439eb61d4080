// libxenctrl: questions about domains, their frames, event channels and Xen's own console (xenctrl.h).
#include <algorithm>
#include <cstring>

#include "stock_host.h"

extern "C" {
#include <xenctrl.h>
}

using xcl::sim::DomainFacts;
using xcl::stock::asked;
using xcl::stock::called;
using xcl::stock::StockHost;

namespace {

void copyTo(xc_dominfo_t& info, const DomainFacts& facts) {
  info = {};
  info.domid = facts.domid;
  info.dying = facts.isDying;
  // A domain that has crashed has shut down with that reason.
  info.crashed = facts.isShutdown && facts.shutdownCode == SHUTDOWN_crash;
  info.shutdown = facts.isShutdown && !info.crashed;
  info.paused = facts.isPaused;
  info.blocked = facts.isBlocked;
  info.running = facts.isRunning;
  info.hvm = facts.isHvm;
  info.shutdown_reason = facts.shutdownCode;
  info.nr_pages = facts.memoryKiB / 4;
  info.max_memkb = facts.maxMemoryKiB;
  info.cpu_time = facts.cpuTimeNs;
  info.nr_online_vcpus = facts.vcpus;
  info.max_vcpu_id = facts.vcpus == 0 ? 0 : facts.vcpus - 1;
  std::memcpy(info.handle, facts.uuid, sizeof info.handle);
}

void copyTo(xc_domaininfo_t& info, const DomainFacts& facts) {
  info = {};
  info.domain = static_cast<domid_t>(facts.domid);
  const auto flag = [&](bool isSet, uint32_t bit) {
    if (isSet) info.flags |= bit;
  };
  flag(facts.isDying, XEN_DOMINF_dying);
  flag(facts.isHvm, XEN_DOMINF_hvm_guest);
  flag(facts.isShutdown, XEN_DOMINF_shutdown);
  flag(facts.isPaused, XEN_DOMINF_paused);
  flag(facts.isBlocked, XEN_DOMINF_blocked);
  flag(facts.isRunning, XEN_DOMINF_running);
  info.flags |= static_cast<uint32_t>(facts.shutdownCode) << XEN_DOMINF_shutdownshift;
  info.tot_pages = facts.memoryKiB / 4;
  info.max_pages = facts.maxMemoryKiB / 4;
  info.cpu_time = facts.cpuTimeNs;
  info.nr_online_vcpus = facts.vcpus;
  info.max_vcpu_id = facts.vcpus == 0 ? 0 : facts.vcpus - 1;
  std::memcpy(info.handle, facts.uuid, sizeof info.handle);
}

/** @returns how many there are; -1: failed */
template <typename Info>
int listed(uint32_t first, unsigned int most, Info* infos) {
  return asked(-1, [&](StockHost& host) {
    const auto& domains = host.domains().from(first, most);
    for (size_t i = 0; i < domains.size(); i++) copyTo(infos[i], domains[i]);
    return static_cast<int>(domains.size());
  });
}

}  // namespace

extern "C" {

xc_interface* xc_interface_open(xentoollog_logger*, xentoollog_logger*, unsigned) {
  return called<xc_interface*>(nullptr, [](StockHost& host) { return reinterpret_cast<xc_interface*>(&host); });
}

int xc_interface_close(xc_interface*) { return 0; }

int xc_domain_getinfo(xc_interface*, uint32_t first, unsigned int most, xc_dominfo_t* infos) {
  return listed(first, most, infos);
}

int xc_domain_getinfolist(xc_interface*, uint32_t first, unsigned int most, xc_domaininfo_t* infos) {
  return listed(first, most, infos);
}

void* xc_map_foreign_range(xc_interface*, uint32_t domid, int, int, unsigned long frame) {
  return called<void*>(nullptr, [&](StockHost& host) { return host.keep(host.machine().mapFrame(domid, frame)); });
}

int xc_evtchn_status(xc_interface*, xc_evtchn_status_t* status) {
  return called(-1, [&](StockHost& host) {
    status->status = host.events().isBound(status->port) ? EVTCHNSTAT_interdomain : EVTCHNSTAT_closed;
    return 0;
  });
}

// Whoever reads may have less room than the machine gives at once; the index says where to go on.
int xc_readconsolering(xc_interface*, char* buffer, unsigned int* size, int, int isIncremental, uint32_t* index) {
  return called(-1, [&](StockHost& host) {
    const uint32_t from = isIncremental && index != nullptr ? *index : 0;
    const auto answer = host.link().call(xcl::sim::Op::kReadConsole, {}, {from});
    const size_t given = answer.payload.size();
    const auto taken = std::min<size_t>(given, *size);
    std::memcpy(buffer, answer.payload.data(), taken);
    *size = static_cast<unsigned int>(taken);
    if (index != nullptr) *index = static_cast<uint32_t>(answer.results[0] - (given - taken));
    return 0;
  });
}

}  // extern "C"
