// Faults between what is driven and the oracle.
#pragma once

namespace fuzz {

/** Faults which the oracle has to notice; those of hints only where paths are looked up. */
enum class Sabotage {
  kNone,
  kLoseMessage,
  kDoubleMessage,
  kFlipByte,
  kLoseReply,
  kDoubleReply,
  kKeepBlock,
  kLoseHint,
  kWrongHint,
};

}  // namespace fuzz
