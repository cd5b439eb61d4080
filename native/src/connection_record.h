// What a set knows of one connection: 32 words in the state memory, so that a successor process finds
// them again. The first ten are read and partly written by TypeScript (native/ring-set.ts).
#pragma once

#include <cstdint>

namespace xcl {

enum class ConnectionKind : int32_t { kFree = 0, kSocket = 1, kRing = 2 };

/** Bits of ConnectionRecord::state. */
enum ConnectionState : uint32_t {
  /** The guest broke the ring: nothing is read or written any more. */
  kBroken = 1,
  /** No more input will come: end of the stream, or a message that is too long. */
  kEnded = 2,
  /** The peer of a socket does not read any more: output is dropped. */
  kDeaf = 4,
  /** Something had to wait, so BATCH_DRAINED is due once the queue is empty. */
  kWaited = 8,
  /** BATCH_CLOSED or BATCH_BROKEN was delivered. */
  kReported = 16,
  /** The guest has asked for a new beginning (BATCH_RECONNECT) and waits for it. */
  kReconnecting = 32,
};

/** Bytes that arrived and are no complete message yet: a chain of blocks, read from the front. */
struct InputChain {
  uint32_t head;
  uint32_t tail;
  uint32_t headOffset;
  uint32_t bytes;
};

struct ConnectionRecord {
  ConnectionKind kind;
  int32_t domid;
  uint32_t queuedReplies;
  uint32_t queuedEvents;
  uint32_t queuedBytes;
  uint32_t maxOutstanding;
  int32_t paused;
  uint32_t maxQueuedEvents;
  uint32_t maxQueuedBytes;
  /** The last quarter of the block pool is not for this connection. */
  uint32_t yields;
  uint32_t state;
  /** First block of the first and of the last queued message; 0 = none. */
  uint32_t queueHead;
  uint32_t queueTail;
  /** Bytes of the first queued message that are out already. */
  uint32_t queueSent;
  InputChain input;
  int32_t fd;
  uint32_t remotePort;
  uint32_t localPort;
  int32_t pageKind;
  uint32_t pageLow;
  uint32_t pageHigh;
  uint32_t features;
  uint32_t nextFree;
  /** In record 0: ids from here on were never used. */
  uint32_t fresh;
  /** Of a console: the ring index up to which its output is given back to the guest. */
  uint32_t outputIndex;
  /** In record 0: events that have come on all ports; wraps. */
  uint32_t events;
  uint32_t spare[3];
};

static_assert(sizeof(ConnectionRecord) == 32 * sizeof(int32_t));

}  // namespace xcl
