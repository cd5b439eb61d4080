// What the machine says of domains. Stock daemons ask for one domain at a time, all of them after each
// VIRQ_DOM_EXC; a question costs a hypercall on Xen, but a switch of processes here. So who goes on asking is
// answered out of one list of all domains, which holds until the daemon calls for anything else: what changes
// meanwhile is told by another VIRQ.
#pragma once

#include <cstdint>
#include <vector>

#include "../../../native/src/simulator_link.h"

namespace xcl::stock {

class DomainList {
 public:
  using Facts = sim::DomainFacts;

  explicit DomainList(SimulatorLink& link) : link_(link) {}

  /** The first domains there are from `first` on, at most so many. Holds until the next call. @throws Failure */
  const std::vector<Facts>& from(uint32_t first, uint32_t most);
  /** Something else was called. */
  void forget() { asked_ = 0; }

 private:
  /** So many questions in a row, and whoever asks goes through all domains. */
  static constexpr uint32_t kAsksForAll = 16;

  /** Appends at most so many. @returns how many */
  uint32_t fetch(uint32_t first, uint32_t most, std::vector<Facts>& into);
  void fetchAll();

  SimulatorLink& link_;
  uint32_t asked_ = 0;
  /** In ascending order of their domids. */
  std::vector<Facts> all_;
  std::vector<Facts> answer_;
};

}  // namespace xcl::stock
