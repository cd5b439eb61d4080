// Numbers given out, always the lowest free one, as Xen gives out ports and grant references. What is free
// below the highest number ever used is a bitmap of two levels, so that a gap is found in a few steps
// however many numbers are taken.
#pragma once

#include <cstdint>
#include <vector>

namespace xcl::sim {

class LowestFree {
 public:
  /** @param first the lowest number there is; @param limit the first number that is too high */
  LowestFree(uint32_t first, uint32_t limit) : fresh_(first), limit_(limit) {}

  /** @returns the number, now taken; `limit` when all are */
  uint32_t take();
  void giveBack(uint32_t number);
  uint32_t limit() const { return limit_; }

 private:
  uint32_t fresh_;
  uint32_t limit_;
  /** A bit for each number given back; and one for each of those words that is not 0. */
  std::vector<uint64_t> free_;
  std::vector<uint64_t> words_;
};

}  // namespace xcl::sim
