// What the program before knew of a ring (native/handover.ts).
#pragma once

#include <cstdint>

#include "machine.h"

namespace xcl {

struct AdoptedRing {
  uint32_t domid = 0;
  PageKind pageKind = PageKind::kGref;
  /** gref or gfn; without meaning for the own ring. */
  uint64_t page = 0;
  /** 0: it had none. */
  uint32_t localPort = 0;
  /** 0: not known. */
  uint32_t remotePort = 0;
  uint32_t features = 0;
  /** The guest broke the protocol before: it is not served. */
  bool isBroken = false;
};

}  // namespace xcl
