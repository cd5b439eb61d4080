// Text of a bounded length in a coroutine's frame: paths, numbers, lines.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace xcl::sim {

/** What does not fit is cut off. */
template <size_t kCapacity>
class Text {
 public:
  template <typename... Parts>
  explicit Text(Parts... parts) {
    (add(parts), ...);
  }

  void add(std::string_view part) {
    size_ += static_cast<uint32_t>(part.copy(data_ + size_, kCapacity - size_));
  }
  void add(const char* part) { add(std::string_view(part)); }
  void add(uint64_t number) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    add(std::string_view(digits, static_cast<size_t>(end - digits)));
  }
  void add(uint32_t number) { add(uint64_t{number}); }

  std::string_view view() const { return {data_, size_}; }
  operator std::string_view() const { return view(); }

 private:
  uint32_t size_ = 0;
  char data_[kCapacity];
};

/** Up to its first NUL: how a C program reads a value. */
inline std::string_view cString(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

/** Up to the first blank, and at most `limit` bytes. */
inline std::string_view firstWord(std::string_view bytes, size_t limit) {
  const std::string_view text = cString(bytes);
  return text.substr(0, std::min(text.find(' '), limit));
}

/** @returns false when it is not a whole number in that base */
template <typename Number>
bool parseNumber(std::string_view text, Number& number, int base = 10) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace xcl::sim
