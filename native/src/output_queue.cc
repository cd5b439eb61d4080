#include "output_queue.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "failure.h"

namespace xcl {

namespace {

constexpr uint32_t kHeaderBytes = 16;

constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15U;

uint64_t mixed(uint64_t left, uint64_t right) {
  const auto product = static_cast<unsigned __int128>(left) * right;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

OutputQueue::OutputQueue(BlockPool& pool, std::span<uint32_t> buckets, QueueListener& listener)
    : pool_(pool), buckets_(buckets), listener_(listener) {
  // Only what is not 0 is written: pages never used stay so.
  for (uint32_t& bucket : buckets_) {
    if (bucket != 0) bucket = 0;
  }
  if (getrandom(&secret_, sizeof(secret_), 0) != sizeof(secret_)) throw Failure("getrandom", errno, "no random bytes");
}

size_t OutputQueue::bucketsFor(size_t blockBytes) {
  return std::bit_floor(std::max<size_t>(blockBytes / sizeof(Block) / 4, 1));
}

OutputQueue::Head& OutputQueue::headOf(uint32_t index) const {
  return *reinterpret_cast<Head*>(pool_.at(index).data);
}

// Over connection, type, length and payload: what makes two messages the same. Eight bytes at a time,
// each folded with a secret multiple: as good as random for whoever does not know the secret.
uint32_t OutputQueue::hashOf(uint32_t id, std::span<const std::byte> wire) const {
  uint64_t hash = mixed(secret_ ^ id, kMultiplier ^ wire.size());
  uint64_t part = 0;
  std::memcpy(&part, wire.data(), std::min<size_t>(wire.size(), 4));
  hash = mixed(hash ^ part, secret_ | 1);
  for (size_t at = kHeaderBytes; at < wire.size(); at += sizeof(part)) {
    part = 0;
    std::memcpy(&part, wire.data() + at, std::min(wire.size() - at, sizeof(part)));
    hash = mixed(hash ^ part ^ secret_, kMultiplier ^ at);
  }
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

bool OutputQueue::append(ConnectionRecord& record, uint32_t id, std::span<const std::byte> wire, uint32_t sent,
                         uint32_t flags, double nowMs) {
  const uint32_t first = pool_.take();
  if (first == 0) return false;
  pool_.at(first).word = 0;
  const auto length = static_cast<uint32_t>(wire.size());
  headOf(first) = Head{length, flags, 0, id, nowMs, 0, 0};
  uint32_t done = std::min(length, kFirstBytes);
  std::memcpy(pool_.at(first).data + kHeadBytes, wire.data(), done);
  for (uint32_t last = first; done < length;) {
    const uint32_t index = pool_.take();
    if (index == 0) {
      pool_.giveChain(first);
      return false;
    }
    pool_.at(last).next = index;
    last = index;
    const uint32_t part = std::min(length - done, Block::kBytes);
    std::memcpy(pool_.at(index).data, wire.data() + done, part);
    done += part;
  }
  if (record.queueHead == 0) {
    record.queueHead = first;
    record.queueSent = sent;
  } else {
    pool_.at(record.queueTail).word = first;
  }
  record.queueTail = first;
  if ((flags & kOutputCoalesce) != 0) {
    headOf(first).hash = hashOf(id, wire);
    link(first);
  }
  record.queuedBytes += length;
  ((flags & kOutputEvent) != 0 ? record.queuedEvents : record.queuedReplies)++;
  return true;
}

bool OutputQueue::holdsSame(uint32_t id, std::span<const std::byte> wire) const {
  const uint32_t hash = hashOf(id, wire);
  for (uint32_t index = bucketOf(hash); index != 0; index = headOf(index).next) {
    const Head& head = headOf(index);
    if (head.hash == hash && head.connection == id && head.length == wire.size() && isSame(index, wire)) return true;
  }
  return false;
}

bool OutputQueue::isSame(uint32_t index, std::span<const std::byte> wire) const {
  const std::byte* data = pool_.at(index).data + kHeadBytes;
  if (wire.size() < kHeaderBytes || std::memcmp(data, wire.data(), 4) != 0) return false;
  uint32_t at = kHeaderBytes;
  uint32_t offset = kHeaderBytes;
  uint32_t room = kFirstBytes;
  while (at < wire.size()) {
    const auto part = std::min(static_cast<uint32_t>(wire.size()) - at, room - offset);
    if (std::memcmp(data + offset, wire.data() + at, part) != 0) return false;
    at += part;
    index = pool_.at(index).next;
    data = pool_.at(index).data;
    offset = 0;
    room = Block::kBytes;
  }
  return true;
}

size_t OutputQueue::describe(const ConnectionRecord& record, std::span<iovec> parts) const {
  size_t count = 0;
  uint32_t skip = record.queueSent;
  for (uint32_t message = record.queueHead; message != 0; message = pool_.at(message).word) {
    uint32_t left = headOf(message).length;
    std::byte* data = pool_.at(message).data + kHeadBytes;
    uint32_t room = kFirstBytes;
    for (uint32_t index = message; left > 0;) {
      const uint32_t part = std::min(left, room);
      if (skip >= part) {
        skip -= part;
      } else {
        if (count == parts.size()) return count;
        parts[count++] = iovec{data + skip, part - skip};
        skip = 0;
      }
      left -= part;
      index = pool_.at(index).next;
      data = pool_.at(index).data;
      room = Block::kBytes;
    }
  }
  return count;
}

void OutputQueue::advance(ConnectionRecord& record, size_t bytes) {
  record.queueSent += static_cast<uint32_t>(bytes);
  while (record.queueHead != 0) {
    const uint32_t first = record.queueHead;
    const uint32_t length = headOf(first).length;
    if (record.queueSent < length) return;
    record.queueSent -= length;
    record.queueHead = pool_.at(first).word;
    if (record.queueHead == 0) record.queueTail = 0;
    drop(record, first);
  }
}

uint32_t OutputQueue::expire(ConnectionRecord& record, double beforeMs) {
  uint32_t expired = 0;
  uint32_t previous = 0;
  for (uint32_t index = record.queueHead; index != 0;) {
    const uint32_t next = pool_.at(index).word;
    const Head& head = headOf(index);
    // Oldest first: nothing behind is older.
    if (head.queuedAtMs > beforeMs) break;
    const bool isStarted = index == record.queueHead && record.queueSent > 0;
    if (isStarted || (head.flags & kOutputEvent) == 0) {
      previous = index;
    } else {
      if (previous == 0) {
        record.queueHead = next;
      } else {
        pool_.at(previous).word = next;
      }
      if (record.queueTail == index) record.queueTail = previous;
      drop(record, index);
      expired++;
    }
    index = next;
  }
  return expired;
}

uint32_t OutputQueue::restOfFirst(const ConnectionRecord& record) const {
  if (record.queueHead == 0) return 0;
  const Head& first = headOf(record.queueHead);
  return record.queueSent > 0 || (first.flags & kOutputRest) != 0 ? first.length - record.queueSent : 0;
}

uint32_t OutputQueue::unstartedEvents(const ConnectionRecord& record) const {
  if (record.queueHead == 0 || record.queueSent == 0) return record.queuedEvents;
  return record.queuedEvents - ((headOf(record.queueHead).flags & kOutputEvent) != 0 ? 1 : 0);
}

void OutputQueue::clear(ConnectionRecord& record) {
  for (uint32_t index = record.queueHead; index != 0;) {
    const uint32_t next = pool_.at(index).word;
    drop(record, index);
    index = next;
  }
  record.queueHead = record.queueTail = record.queueSent = 0;
}

void OutputQueue::link(uint32_t index) {
  Head& head = headOf(index);
  uint32_t& bucket = bucketOf(head.hash);
  head.next = bucket;
  if (bucket != 0) headOf(bucket).previous = index;
  bucket = index;
}

void OutputQueue::drop(ConnectionRecord& record, uint32_t index) {
  const Head& head = headOf(index);
  if ((head.flags & kOutputCoalesce) != 0) {
    (head.previous == 0 ? bucketOf(head.hash) : headOf(head.previous).next) = head.next;
    if (head.next != 0) headOf(head.next).previous = head.previous;
  }
  record.queuedBytes -= head.length;
  ((head.flags & kOutputEvent) != 0 ? record.queuedEvents : record.queuedReplies)--;
  const uint32_t place = head.flags >> kOutputPlaceShift;
  pool_.giveChain(index);
  if (place != 0) listener_.onEventGone(place);
}

}  // namespace xcl
