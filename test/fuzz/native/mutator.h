// Makes inputs out of inputs, the same from the same seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace fuzz {

using Input = std::vector<uint8_t>;

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  /** A variation of one of `corpus`, or something fresh. */
  Input next(const std::vector<Input>& corpus);

 private:
  static constexpr size_t kLongest = 1500;

  uint32_t below(size_t limit) { return static_cast<uint32_t>(random_() % limit); }
  uint8_t byte() { return static_cast<uint8_t>(random_()); }
  Input fresh();
  void mutate(Input& input, const std::vector<Input>& corpus);

  std::mt19937_64 random_;
};

}  // namespace fuzz
