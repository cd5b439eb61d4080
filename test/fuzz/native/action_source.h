// An input read as actions: one byte after the other, zeros when it is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fuzz {

class ActionSource {
 public:
  explicit ActionSource(std::span<const uint8_t> input) : left_(input) {}

  bool isOver() const { return left_.empty(); }

  uint8_t byte() {
    if (left_.empty()) return 0;
    const uint8_t first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }

  uint32_t below(uint32_t limit) { return byte() % limit; }

  /** A size: mostly small, now and then at an edge of what the protocol allows, now and then anything. */
  uint32_t size() {
    constexpr uint32_t kEdges[] = {0, 1, 3, 4, 15, 16, 216, 217, 248, 1007, 1008, 1009, 1024, 2048, 4095, 4096};
    const uint8_t kind = byte();
    if (kind < 128) return kind % 48;
    if (kind < 192) return kEdges[kind % 16];
    return (static_cast<uint32_t>(kind) << 8 | byte()) % 4097;
  }

 private:
  std::span<const uint8_t> left_;
};

}  // namespace fuzz
