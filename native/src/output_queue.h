// Messages that wait until their connection takes them: chains of blocks, linked oldest first.
//
//   first block   next │ next message │ length, flags, hash, time, connection, neighbours in the
//                                       bucket (32 bytes) │ 216 bytes
//   other blocks  next │ -            │ 248 bytes
//
// Those that may be coalesced are found again by what they say: buckets of all connections together,
// so that finding one costs the same however many wait.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "block_pool.h"
#include "connection_record.h"

namespace xcl {

/** Output flags of native/ring-set.ts. */
inline constexpr uint32_t kOutputCoalesce = 1;
inline constexpr uint32_t kOutputEvent = 2;
/** Native code's own: not a message but the rest of one that was partly out when this program took over. */
inline constexpr uint32_t kOutputRest = 4;
/** From this bit on: the connection whose request has caused the event; 0: none that is counted. */
inline constexpr uint32_t kOutputCauseShift = 8;
/** Instead of it, once native code has read the record: the request's place among CausingRequests. */
inline constexpr uint32_t kOutputPlaceShift = 3;

/** Hears of messages that are out, or given up. */
class QueueListener {
 public:
  virtual ~QueueListener() = default;
  /** @param place of the request that has caused it */
  virtual void onEventGone(uint32_t place) = 0;
};

class OutputQueue {
 public:
  /** @param buckets heads of the buckets, a power of two; begin empty, whatever they held before */
  OutputQueue(BlockPool& pool, std::span<uint32_t> buckets, QueueListener& listener);

  /** How many buckets go with so many bytes of blocks. */
  static size_t bucketsFor(size_t blockBytes);

  static bool isEmpty(const ConnectionRecord& record) { return record.queueHead == 0; }

  /**
   * Adds a message of connection `id`, of which `sent` bytes are out already (then the queue was empty).
   * @returns false, with nothing added, when the pool is exhausted
   */
  bool append(ConnectionRecord& record, uint32_t id, std::span<const std::byte> wire, uint32_t sent, uint32_t flags,
              double nowMs);

  /** True when a coalescing message of the same type and payload waits, even one that is partly out. */
  bool holdsSame(uint32_t id, std::span<const std::byte> wire) const;

  /** Describes what is to go out next. @returns how many entries of `parts` are filled */
  size_t describe(const ConnectionRecord& record, std::span<iovec> parts) const;

  /** Notes that `bytes` more are out; messages wholly out are freed. */
  void advance(ConnectionRecord& record, size_t bytes);

  /** Drops events queued before `beforeMs` of which nothing is out yet. @returns how many */
  uint32_t expire(ConnectionRecord& record, double beforeMs);

  /** Bytes that are left of a first message that is partly out; 0: no message is. */
  uint32_t restOfFirst(const ConnectionRecord& record) const;

  /** Events of which nothing is out yet. */
  uint32_t unstartedEvents(const ConnectionRecord& record) const;

  void clear(ConnectionRecord& record);

 private:
  struct Head {
    uint32_t length;
    uint32_t flags;
    uint32_t hash;
    uint32_t connection;
    double queuedAtMs;
    /** Neighbours in the bucket; 0 = none. */
    uint32_t previous;
    uint32_t next;
  };
  static constexpr uint32_t kHeadBytes = sizeof(Head);
  static constexpr uint32_t kFirstBytes = Block::kBytes - kHeadBytes;

  Head& headOf(uint32_t index) const;
  uint32_t hashOf(uint32_t id, std::span<const std::byte> wire) const;
  uint32_t& bucketOf(uint32_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }
  void link(uint32_t index);
  /** Takes a message, which is no longer in the queue, out of the counts and the buckets and frees it. */
  void drop(ConnectionRecord& record, uint32_t index);
  bool isSame(uint32_t index, std::span<const std::byte> wire) const;

  BlockPool& pool_;
  std::span<uint32_t> buckets_;
  QueueListener& listener_;
  /** Random: no guest may know which messages share a bucket. */
  uint64_t secret_ = 0;
};

}  // namespace xcl
