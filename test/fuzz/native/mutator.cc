#include "mutator.h"

#include <algorithm>

namespace fuzz {

Input Mutator::next(const std::vector<Input>& corpus) {
  if (corpus.empty() || below(8) == 0) return fresh();
  Input input = corpus[below(corpus.size())];
  for (uint32_t times = 1 + below(6); times > 0; times--) mutate(input, corpus);
  if (input.size() > kLongest) input.resize(kLongest);
  return input;
}

Input Mutator::fresh() {
  Input input(8 + below(kLongest - 8));
  for (uint8_t& one : input) one = byte();
  return input;
}

void Mutator::mutate(Input& input, const std::vector<Input>& corpus) {
  if (input.empty()) input.push_back(byte());
  const size_t at = below(input.size());
  const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
  const size_t length = 1 + below(std::min<size_t>(input.size() - at, 32));
  switch (below(7)) {
    case 0:
      *place ^= static_cast<uint8_t>(1U << below(8));
      return;
    case 1:
      *place = byte();
      return;
    case 2:
      input.insert(place, byte());
      return;
    case 3:
      input.erase(place, place + static_cast<std::ptrdiff_t>(length));
      return;
    case 4: {
      const Input copied(place, place + static_cast<std::ptrdiff_t>(length));
      input.insert(input.begin() + below(input.size()), copied.begin(), copied.end());
      return;
    }
    case 5: {
      const Input& other = corpus[below(corpus.size())];
      if (other.empty()) return;
      const size_t from = below(other.size());
      const size_t count = 1 + below(std::min<size_t>(other.size() - from, 200));
      const auto begin = other.begin() + static_cast<std::ptrdiff_t>(from);
      input.insert(place, begin, begin + static_cast<std::ptrdiff_t>(count));
      return;
    }
    default:
      for (size_t i = 0; i < length; i++) input[at + i] = byte();
      return;
  }
}

}  // namespace fuzz
