// Both directions of events through memory (protocol.h, EventArea): telling a handle that one of its ports
// fired, and finding out which of dom0's ports its handles have fired.
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

  /** Nobody needs to write to the eventfd from here on: this process will look by itself. */
  void stayAwake() { area().isSignalled.store(1); }
  /** Whoever fires from here on writes to the eventfd; what fired before must be looked for once more. */
  void allowSleep() { area().isSignalled.store(0); }
  void drainEventFd();

  /**
   * Takes ports that fired and calls `take(port)` for each; words of 64 ports, until `budget` is used up.
   * @returns false when there may be more
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
  for (uint32_t i = 0; i < kSelectors; i++) {
    const uint32_t at = (turn_ + i) % kSelectors;
    std::atomic<uint64_t>& selector = area().selector[at];
    while (selector.load() != 0) {
      if (taken >= budget) {
        turn_ = (at + 1) % kSelectors;
        return false;
      }
      const uint32_t word = at * 64 + static_cast<uint32_t>(std::countr_zero(selector.load()));
      // Somebody outside may have cleared it in between; then there is no such bit.
      if (word >= (at + 1) * 64) break;
      selector.fetch_and(~(1ULL << (word % 64)));
      taken++;
      for (uint64_t bits = area().pending[word].exchange(0); bits != 0; bits &= bits - 1) {
        taken++;
        take(word * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
      }
    }
  }
  return true;
}

}  // namespace xcl::sim
