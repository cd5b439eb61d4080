// What one peer says to the daemon: the bytes, how far they have gone, and what must come of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "ring_set.h"

namespace fuzz {

using Bytes = std::vector<std::byte>;

/** `count` bytes that tell where they belong. */
Bytes patternOf(uint32_t seed, uint32_t count);
/** A message as it goes over the wire. */
Bytes wireOf(const xcl::WireHeader& header, std::span<const std::byte> payload);

class Said {
 public:
  /** One well-formed request. */
  void request(const xcl::WireHeader& header);
  /** A header that claims more than any message may have; what follows it is noise. */
  void overlong(const xcl::WireHeader& header);
  /** Bytes of a console. */
  void plain(std::span<const std::byte> bytes);

  std::span<const std::byte> unsent() const { return std::span(stream_).subspan(sent_); }
  void markSent(size_t bytes) { sent_ += bytes; }
  size_t sent() const { return sent_; }
  /** Of plain bytes. */
  size_t delivered() const { return delivered_; }

  /** A whole message has come out; throws Violation unless it is the next one. */
  void checkRequest(std::span<const std::byte> wire);
  void checkPlain(std::span<const std::byte> bytes);
  /** What has come out of plain bytes is out for good, */
  void settlePlain() { settled_ = delivered_; }
  /** or it comes again. */
  void unsettlePlain() { delivered_ = settled_; }

  /** Has everything that went in wholly come out? */
  bool isDelivered() const;
  /** Has the header of an overlong message gone in? */
  bool isBreaking() const { return isOverlong_ && sent_ >= overlongEnd_; }
  void forget() { *this = Said{}; }

 private:
  struct Expected {
    Bytes wire;
    /** Where the stream stands once the last byte of it is in. */
    size_t end;
  };

  Bytes stream_;
  size_t sent_ = 0;
  std::deque<Expected> expected_;
  /** Of plain bytes: how many have come out. */
  size_t delivered_ = 0;
  size_t settled_ = 0;
  bool isPlain_ = false;
  bool isOverlong_ = false;
  size_t overlongEnd_ = 0;
};

}  // namespace fuzz
