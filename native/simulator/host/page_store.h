// The pages of all domains: one sparse memfd, which every handle maps as a whole, so that mapping a page is
// a number. A page is counted: once for the domain that has it, once for everybody who has it mapped.
#pragma once

#include <cstdint>
#include <vector>

#include "../protocol.h"
#include "shared_memory.h"

namespace xcl::sim {

class PageStore {
 public:
  PageStore();

  int fd() const { return memory_.fd(); }
  std::byte* at(uint32_t page) const { return memory_.data() + static_cast<size_t>(page) * kPageBytes; }
  /** A zeroed page that belongs to the domain, counted once. @throws HostFailure ENOMEM: kMaxPages are taken */
  uint32_t allocate(uint32_t domid);
  void ref(uint32_t page) { facts_[page].refs++; }
  void unref(uint32_t page);
  /** False also for a page that nobody has. */
  bool isOf(uint64_t page, uint32_t domid) const;
  uint32_t taken() const { return static_cast<uint32_t>(facts_.size() - used_.size() - empty_.size()); }

 private:
  struct Facts {
    uint32_t refs = 0;
    uint32_t domid = 0;
  };

  /** Gives the memory of the pages that were freed first back to the system. */
  void punch();

  SharedMemory memory_;
  std::vector<Facts> facts_;
  /** Free pages that still have memory, and what was in them. */
  std::vector<uint32_t> used_;
  /** Free pages without memory: zero when they are touched. */
  std::vector<uint32_t> empty_;
};

}  // namespace xcl::sim
