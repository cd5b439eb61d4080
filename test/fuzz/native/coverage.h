// Which code of the set a run has reached (gcc's -fsanitize-coverage=trace-pc), and how often.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fuzz {

class Coverage {
 public:
  /** Forgets the run before. */
  static void begin();
  /** Adds what the run has reached. @returns how many places or frequencies of it are new */
  size_t addNew();
  size_t places() const { return places_; }

 private:
  static constexpr size_t kCells = 1U << 16;
  /** Per place: which frequencies (powers of two) were seen. */
  std::array<uint8_t, kCells> seen_{};
  size_t places_ = 0;
};

}  // namespace fuzz
