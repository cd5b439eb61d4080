// Pending event channels, given out one at a time as /dev/xen/evtchn gives them; the machine gives many at
// once. The descriptor is readable whenever there is one left.
#pragma once

#include <array>
#include <cstdint>

#include "../../../native/src/machine_simulator.h"

namespace xcl::stock {

class EventQueue {
 public:
  explicit EventQueue(MachineSimulator& machine) : machine_(machine) {}

  int fd() const { return machine_.pendingFd(); }
  /** The next port, which is masked from then on. */
  uint32_t take();
  void unmask(uint32_t port);
  /** A port of a ring: one that may be said to be pending when none is. */
  void bound(uint32_t port) { harmless_ = port; }
  /** Nothing of it is given out any more. */
  void unbound(uint32_t port);

 private:
  static constexpr size_t kAtOnce = 256;

  void refill();

  MachineSimulator& machine_;
  std::array<uint32_t, kAtOnce> ports_{};
  size_t from_ = 0;
  size_t count_ = 0;
  uint32_t harmless_ = 0;
};

}  // namespace xcl::stock
