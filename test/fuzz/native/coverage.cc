#include "coverage.h"

#include <algorithm>
#include <bit>

namespace {

constexpr size_t kMask = (1U << 16) - 1;
std::array<uint8_t, kMask + 1> counts;

}  // namespace

// Called by the compiler's instrumentation at every branch of native/src.
extern "C" void __sanitizer_cov_trace_pc() {
  const auto place = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  uint8_t& count = counts[(place ^ place >> 16) & kMask];
  if (count < UINT8_MAX) count++;
}

namespace fuzz {

void Coverage::begin() { counts.fill(0); }

size_t Coverage::addNew() {
  size_t added = 0;
  for (size_t cell = 0; cell < counts.size(); cell++) {
    if (counts[cell] == 0) continue;
    const auto frequency = static_cast<uint8_t>(1U << (std::bit_width(counts[cell]) - 1));
    if ((seen_[cell] & frequency) != 0) continue;
    if (seen_[cell] == 0) places_++;
    seen_[cell] |= frequency;
    added++;
  }
  return added;
}

}  // namespace fuzz
