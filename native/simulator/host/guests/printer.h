// What a guest with script=print is asked to print, and what it has printed: numbered lines of one length.
//
//   guest 17 line 1 the quick brown fox jumps over the lazy dog \r\n
//
// A line that is late, since nobody reads, is printed late: none is left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "checksum.h"
#include "text.h"

namespace xcl::sim {

/** Bytes that went into a ring. */
struct Printed {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  Crc32 checksum;

  void add(std::string_view taken);
};

class Printer {
 public:
  static constexpr size_t kLineBytes = 64;

  /** Begins with line 1, and counts anew. periodNs 0: all of them as fast as the ring takes them. */
  void begin(uint64_t lines, uint64_t periodNs, uint64_t firstNs);
  /** What is not printed yet never is. */
  void stop() { left_ = 0; }

  bool isDue(uint64_t nowNs) const { return left_ > 0 && nowNs >= nextNs_; }
  /** UINT64_MAX: nothing is left. */
  uint64_t nextNs() const { return left_ > 0 ? nextNs_ : UINT64_MAX; }
  uint64_t left() const { return left_; }
  /** The line that is due. */
  Text<kLineBytes> next(uint32_t domid);

  Printed& printed() { return printed_; }
  const Printed& printed() const { return printed_; }

 private:
  uint64_t number_ = 0;
  uint64_t left_ = 0;
  uint64_t periodNs_ = 0;
  uint64_t nextNs_ = 0;
  Printed printed_;
};

}  // namespace xcl::sim
