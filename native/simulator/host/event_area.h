// Both directions of events through memory (protocol.h, EventArea): telling a handle that one of its ports
// fired, and finding out which ports a handle has fired.
#pragma once

#include <sys/eventfd.h>

#include <bit>
#include <cstdint>

#include "../../src/unique_fd.h"
#include "../protocol.h"
#include "shared_memory.h"

namespace xcl::sim {

/** An EventArea in memory of its own, and the eventfd that belongs to it. */
class SharedEvents {
 public:
  explicit SharedEvents(const char* name);

  int memoryFd() const { return memory_.fd(); }
  int eventFd() const { return eventFd_.get(); }

  /** A port fires: whoever reads the area is woken unless it was already. */
  void fire(uint32_t port);
  /**
   * A port is closed: what fired before is not for whoever gets the number next.
   * @returns whether it had fired and nobody has taken that yet
   */
  bool forget(uint32_t port);

  /**
   * Takes ports that fired and calls `take(port)` for each; words of 64 ports, until `budget` is used up.
   * After true nobody needs to write to the eventfd: this process will look again by itself.
   * @returns false when there was nothing: who fires from here on writes to the eventfd
   */
  template <typename Take>
  bool collect(uint32_t budget, Take take);

 private:
  EventArea& area() { return *reinterpret_cast<EventArea*>(memory_.data()); }

  SharedMemory memory_;
  UniqueFd eventFd_;
  /** Where `collect` begins, so that low ports do not starve high ones. */
  uint32_t turn_ = 0;
};

template <typename Take>
bool SharedEvents::collect(uint32_t budget, Take take) {
  constexpr uint32_t kSelectors = EventArea::kWords / 64;
  uint32_t taken = 0;
  // Allowed first, looked for then: what fires in between is seen, or is signalled.
  area().isSignalled.store(0);
  for (uint32_t i = 0; i < kSelectors && taken < budget; i++) {
    const uint32_t at = (turn_ + i) % kSelectors;
    std::atomic<uint64_t>& selector = area().selector[at];
    for (uint64_t words = selector.load(); words != 0 && taken < budget; words = selector.load()) {
      const uint32_t word = at * 64 + static_cast<uint32_t>(std::countr_zero(words));
      selector.fetch_and(~(1ULL << (word % 64)));
      taken++;
      for (uint64_t bits = area().pending[word].exchange(0); bits != 0; bits &= bits - 1) {
        taken++;
        take(word * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
      }
    }
    if (taken >= budget) turn_ = (at + 1) % kSelectors;
  }
  if (taken != 0) area().isSignalled.store(1);
  return taken != 0;
}

}  // namespace xcl::sim
