// When a measurement begins, should end, and must end.
#pragma once

#include <ctime>
#include <cstdint>

namespace xcl::peers {

inline uint64_t nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

class Deadline {
 public:
  explicit Deadline(double seconds) : atNs_(nowNs() + static_cast<uint64_t>(seconds * 1e9)) {}

  bool isOver() const { return nowNs() >= atNs_; }
  uint64_t atNs() const { return atNs_; }
  /** For poll(2): at least 1. */
  int leftMs() const {
    const uint64_t now = nowNs();
    return now >= atNs_ ? 1 : static_cast<int>((atNs_ - now) / 1'000'000) + 1;
  }

 private:
  uint64_t atNs_;
};

}  // namespace xcl::peers
