// What the guests have done since the machine started, for the command `stats`.
#pragma once

#include <cstdint>

namespace xcl::sim {

struct Statistics {
  /** READY and still running. */
  uint64_t ready = 0;
  /** That were asked of XenStore, dom0's kernel included; also those that still wait for room in their ring. */
  uint64_t requests = 0;
  uint64_t replies = 0;
  /** Turns of `work` that came before the one before them was done, and were left out. */
  uint64_t missed = 0;
  /** Requests whose reply can never come, since the daemon broke the protocol. */
  uint64_t lost = 0;
  /** Requests without a reply when their guest crashed or was ended, or their daemon was replaced: nobody's fault. */
  uint64_t abandoned = 0;
  /** Of consoles, as put into their rings. */
  uint64_t lines = 0;
  uint64_t bytes = 0;
  /** Front ends that are Connected now, with their back ends. */
  uint64_t vifConnected = 0;
  uint64_t vbdConnected = 0;
  /** Violations of a protocol by a daemon. */
  uint64_t broken = 0;

  uint64_t inFlight() const { return requests - replies - lost - abandoned; }
};

}  // namespace xcl::sim
