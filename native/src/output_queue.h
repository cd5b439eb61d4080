// Messages that wait until their connection takes them: chains of blocks, linked oldest first.
//
//   first block   next │ next message │ length, flags, hash, -, time (24 bytes) │ 224 bytes
//   other blocks  next │ -            │ 248 bytes
#pragma once

#include <sys/uio.h>

#include <span>

#include "block_pool.h"
#include "connection_record.h"

namespace xcl {

/** Output flags of native/ring-set.ts. */
inline constexpr uint32_t kOutputCoalesce = 1;
inline constexpr uint32_t kOutputEvent = 2;

class OutputQueue {
 public:
  explicit OutputQueue(BlockPool& pool) : pool_(pool) {}

  static bool isEmpty(const ConnectionRecord& record) { return record.queueHead == 0; }

  /**
   * Adds a message, of which `sent` bytes are out already (then the queue was empty).
   * @returns false, with nothing added, when the pool is exhausted
   */
  bool append(ConnectionRecord& record, std::span<const std::byte> wire, uint32_t sent, uint32_t flags, double nowMs);

  /** True when a message of the same type and payload waits, even one that is partly out. */
  bool holdsSame(const ConnectionRecord& record, std::span<const std::byte> wire) const;

  /** Describes what is to go out next. @returns how many entries of `parts` are filled */
  size_t describe(const ConnectionRecord& record, std::span<iovec> parts) const;

  /** Notes that `bytes` more are out; messages wholly out are freed. */
  void advance(ConnectionRecord& record, size_t bytes);

  /** Drops events queued before `beforeMs` of which nothing is out yet. @returns how many */
  uint32_t expire(ConnectionRecord& record, double beforeMs);

  void clear(ConnectionRecord& record);

 private:
  struct Head {
    uint32_t length;
    uint32_t flags;
    uint32_t hash;
    uint32_t spare;
    double queuedAtMs;
  };
  static constexpr uint32_t kHeadBytes = sizeof(Head);
  static constexpr uint32_t kFirstBytes = Block::kBytes - kHeadBytes;

  Head& headOf(uint32_t index) const;
  void forget(ConnectionRecord& record, const Head& head) const;
  bool isSame(uint32_t index, std::span<const std::byte> wire, uint32_t hash) const;

  BlockPool& pool_;
};

}  // namespace xcl
