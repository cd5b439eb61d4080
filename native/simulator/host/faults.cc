#include "faults.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace xcl::sim {

namespace {

constexpr std::array<std::string_view, 28> kNames = {
    "domain_create",
    "domain_max_vcpus",
    "domain_setmaxmem",
    "set_paging_mempool_size",
    "evtchn_alloc_unbound",
    "dom_kernel_file",
    "dom_module_file",
    "dom_parse_image",
    "dom_boot_mem_init",
    "dom_build_image",
    "dom_gnttab_init",
    "domain_pause",
    "domain_unpause",
    "domain_destroy",
    "gnttab_map_grant_ref",
    "foreignmemory_map",
    "evtchn_bind_interdomain",
    "evtchn_bind_virq",
    "readconsolering",
    "join_bridge",
    "open_disk",
    // Steps of a guest's boot at which it crashes (host/guests).
    "guest_dies_boot",
    "guest_dies_read",
    "guest_dies_watch",
    "guest_dies_write",
    "guest_dies_vif",
    "guest_dies_vbd",
    "guest_dies_print",
};
// Calls that are made for no domain in particular.
constexpr std::array<std::string_view, 3> kOfNoDomain = {"evtchn_bind_virq", "readconsolering", "open_disk"};
constexpr int kHighestErrno = 133;
constexpr const char* kKillName = "SIGKILL";

}  // namespace

std::string errnoName(int error) {
  if (error == Faults::kKillsCaller) return kKillName;
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

int errnoOf(std::string_view name) {
  if (name == kKillName) return Faults::kKillsCaller;
  for (int error = 1; error <= kHighestErrno; error++) {
    const char* candidate = strerrorname_np(error);
    if (candidate != nullptr && name == candidate) return error;
  }
  return 0;
}

int Faults::at(std::string_view name, uint32_t domid) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->name != name || (fault->domid != kAnyDomid && fault->domid != domid)) continue;
    if (fault->after > 0) {
      fault->after--;
      continue;
    }
    const int error = fault->error;
    if (fault->times != UINT64_MAX && --fault->times == 0) faults_.erase(fault);
    return error;
  }
  return 0;
}

void Faults::check(const char* name, uint32_t domid, const std::string& tried) {
  if (faults_.empty()) return;
  const int error = at(name, domid);
  if (error != 0) throw HostFailure{name, error, tried};
}

void Faults::set(Fault fault) {
  const auto has = [&](const auto& names) { return std::find(names.begin(), names.end(), fault.name) != names.end(); };
  if (!has(kNames)) throw HostFailure{"fault", ENOENT, "no fault is called " + fault.name + "; `faults` lists them"};
  if (fault.domid != kAnyDomid && has(kOfNoDomain)) {
    throw HostFailure{"fault", EINVAL, fault.name + " is called for no domain in particular: it takes no domid="};
  }
  faults_.push_back(std::move(fault));
}

std::vector<std::string> Faults::describe() const {
  std::vector<std::string> lines;
  for (const std::string_view name : kNames) lines.emplace_back(name);
  for (const Fault& fault : faults_) {
    std::string line = "set " + fault.name + " errno=" + errnoName(fault.error);
    if (fault.domid != kAnyDomid) line += " domid=" + std::to_string(fault.domid);
    line += " after=" + std::to_string(fault.after);
    lines.push_back(line + " times=" + (fault.times == UINT64_MAX ? "0" : std::to_string(fault.times)));
  }
  return lines;
}

}  // namespace xcl::sim
