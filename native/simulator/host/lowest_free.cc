#include "lowest_free.h"

#include <bit>
#include <cstddef>

namespace xcl::sim {

uint32_t LowestFree::take() {
  for (size_t i = 0; i < words_.size(); i++) {
    if (words_[i] == 0) continue;
    const size_t word = i * 64 + static_cast<size_t>(std::countr_zero(words_[i]));
    const auto number = static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(free_[word])));
    free_[word] &= free_[word] - 1;
    if (free_[word] == 0) words_[i] &= words_[i] - 1;
    return number;
  }
  return fresh_ < limit_ ? fresh_++ : limit_;
}

void LowestFree::giveBack(uint32_t number) {
  const size_t word = number / 64;
  if (word >= free_.size()) {
    free_.resize(word + 1);
    words_.resize(word / 64 + 1);
  }
  free_[word] |= 1ULL << (number % 64);
  words_[word / 64] |= 1ULL << (word % 64);
}

}  // namespace xcl::sim
