// CRC-32 as zlib has it (ISO 3309), so that whoever reads what was said can compare.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace xcl::sim {

class Crc32 {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) state_ = kTable[(state_ ^ static_cast<uint8_t>(byte)) & 0xff] ^ (state_ >> 8);
  }
  /** 0 of nothing. */
  uint32_t value() const { return ~state_; }

 private:
  static constexpr uint32_t kPolynomial = 0xedb88320;

  static constexpr std::array<uint32_t, 256> table() {
    std::array<uint32_t, 256> made{};
    for (uint32_t byte = 0; byte < made.size(); byte++) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? (value >> 1) ^ kPolynomial : value >> 1;
      made[byte] = value;
    }
    return made;
  }
  static const std::array<uint32_t, 256> kTable;

  uint32_t state_ = UINT32_MAX;
};

inline constexpr std::array<uint32_t, 256> Crc32::kTable = Crc32::table();

}  // namespace xcl::sim
