// Failures that were asked for by name, over the control socket: the next call of that name fails.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "guest_machine.h"

namespace xcl::sim {

struct Fault {
  std::string name;
  int error = 0;
  /** kAnyDomid: every domain's calls. */
  uint32_t domid = 0;
  /** Calls that pass before. */
  uint64_t after = 0;
  /** Calls that fail; UINT64_MAX: all from then on. */
  uint64_t times = 1;
};

class Faults : public FaultPoints {
 public:
  static constexpr uint32_t kAnyDomid = UINT32_MAX;
  /** In an errno's place: who calls is killed, and nothing is done. */
  static constexpr int kKillsCaller = -1;

  int at(std::string_view name, uint32_t domid) override;
  /** @throws HostFailure with the op of that name when the call is to fail */
  void check(const char* name, uint32_t domid, const std::string& tried);

  /** @throws HostFailure when there is no fault of that name, or it is to be a domain's and cannot be */
  void set(Fault fault);
  void clear() { faults_.clear(); }
  /** A line for each name there is, and for each fault that is set. */
  std::vector<std::string> describe() const;

 private:
  std::vector<Fault> faults_;
};

/** Name of an errno, `EINVAL`, or `SIGKILL` for kKillsCaller; its number where it has none. */
std::string errnoName(int error);
/** The other way round; 0: nothing is called so. */
int errnoOf(std::string_view name);

}  // namespace xcl::sim
