// What the daemon says to one peer: what was handed over, and what has come out at the peer's end.
#pragma once

#include <cstdint>
#include <deque>
#include <span>

#include "said.h"

namespace fuzz {

class Heard {
 public:
  /** @param serial stands in the message as its request id, and in no other of this peer */
  void handedOver(uint32_t serial, Bytes wire, uint32_t flags);
  void handedOverPlain(std::span<const std::byte> bytes);
  /** The rules allow that the message is dropped. */
  void allowDrop(uint32_t serial);
  /** Events may have expired. */
  void allowDropOfEvents();
  /** Is there a coalescing message, not yet heard, that says the same as `serial` and is older? */
  bool hasSameBefore(uint32_t serial) const;

  /** Bytes have come out; throws Violation unless they are what was handed over, in order. */
  void received(std::span<const std::byte> bytes);
  /** Throws Violation unless everything has come that may not be dropped. */
  void checkNothingIsMissing() const;
  bool isBetweenMessages() const { return received_.empty(); }
  size_t waiting() const { return due_.size(); }
  void forget() { *this = Heard{}; }

 private:
  struct Due {
    uint32_t serial;
    Bytes wire;
    uint32_t flags;
    bool mayDrop;
  };

  void takeMessages();

  std::deque<Due> due_;
  Bytes received_;
  Bytes plain_;
};

}  // namespace fuzz
