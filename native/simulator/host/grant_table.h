// One domain's grant table: which of its pages another domain may map. References below kReserved are the
// domain builder's (console and store page).
#pragma once

#include <cstdint>
#include <vector>

#include "lowest_free.h"

namespace xcl::sim {

inline constexpr uint32_t kGrantConsole = 0;
inline constexpr uint32_t kGrantStore = 1;

class GrantTable {
 public:
  struct Grant {
    uint64_t pfn = 0;
    uint16_t toDomid = 0;
    bool isUsed = false;
    bool isReadOnly = false;
    /** How often others have it mapped now. */
    uint32_t maps = 0;
  };

  /** @param maxFrames pages that the table may have; -1: Xen's default */
  explicit GrantTable(int32_t maxFrames);

  /** Seeds one of the reserved references. */
  void seed(uint32_t gref, uint32_t toDomid, uint64_t pfn);
  /** @throws HostFailure ENOSPC: the table is full */
  uint32_t add(uint32_t toDomid, uint64_t pfn, bool isReadOnly);
  /** @throws HostFailure EBUSY while it is mapped; EINVAL: there is none */
  void end(uint32_t gref);
  /** @throws HostFailure EINVAL: no such grant, not for this domain, or only for reading */
  Grant& forMapping(uint32_t gref, uint32_t byDomid, bool isForWriting);
  void unmapped(uint32_t gref) { grants_[gref].maps--; }

 private:
  LowestFree numbers_;
  std::vector<Grant> grants_;
};

}  // namespace xcl::sim
