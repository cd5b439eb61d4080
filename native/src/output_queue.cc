#include "output_queue.h"

#include <algorithm>
#include <cstring>

namespace xcl {

namespace {

constexpr uint32_t kHeaderBytes = 16;

// FNV-1a over type, length and payload: what makes two messages the same. Stream data has no header.
uint32_t hashOf(std::span<const std::byte> wire) {
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < wire.size(); i++) {
    if (i >= 4 && i < 12) continue;
    hash = (hash ^ static_cast<uint32_t>(wire[i])) * 16777619U;
  }
  return hash;
}

}  // namespace

OutputQueue::Head& OutputQueue::headOf(uint32_t index) const {
  return *reinterpret_cast<Head*>(pool_.at(index).data);
}

bool OutputQueue::append(ConnectionRecord& record, std::span<const std::byte> wire, uint32_t sent, uint32_t flags,
                         double nowMs) {
  const uint32_t first = pool_.take();
  if (first == 0) return false;
  pool_.at(first).word = 0;
  const auto length = static_cast<uint32_t>(wire.size());
  headOf(first) = Head{length, flags, hashOf(wire), 0, nowMs};
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
  record.queuedBytes += length;
  ((flags & kOutputEvent) != 0 ? record.queuedEvents : record.queuedReplies)++;
  return true;
}

bool OutputQueue::holdsSame(const ConnectionRecord& record, std::span<const std::byte> wire) const {
  const uint32_t hash = hashOf(wire);
  for (uint32_t index = record.queueHead; index != 0; index = pool_.at(index).word) {
    if (isSame(index, wire, hash)) return true;
  }
  return false;
}

bool OutputQueue::isSame(uint32_t index, std::span<const std::byte> wire, uint32_t hash) const {
  const Head& head = headOf(index);
  if (head.hash != hash || head.length != wire.size()) return false;
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
    const Head head = headOf(first);
    if (record.queueSent < head.length) return;
    record.queueSent -= head.length;
    record.queueHead = pool_.at(first).word;
    if (record.queueHead == 0) record.queueTail = 0;
    forget(record, head);
    pool_.giveChain(first);
  }
}

uint32_t OutputQueue::expire(ConnectionRecord& record, double beforeMs) {
  uint32_t expired = 0;
  uint32_t previous = 0;
  for (uint32_t index = record.queueHead; index != 0;) {
    const uint32_t next = pool_.at(index).word;
    const Head head = headOf(index);
    const bool isStarted = index == record.queueHead && record.queueSent > 0;
    if (isStarted || (head.flags & kOutputEvent) == 0 || head.queuedAtMs > beforeMs) {
      previous = index;
    } else {
      if (previous == 0) {
        record.queueHead = next;
      } else {
        pool_.at(previous).word = next;
      }
      if (record.queueTail == index) record.queueTail = previous;
      forget(record, head);
      pool_.giveChain(index);
      expired++;
    }
    index = next;
  }
  return expired;
}

void OutputQueue::clear(ConnectionRecord& record) {
  for (uint32_t index = record.queueHead; index != 0;) {
    const uint32_t next = pool_.at(index).word;
    pool_.giveChain(index);
    index = next;
  }
  record.queueHead = record.queueTail = record.queueSent = 0;
  record.queuedReplies = record.queuedEvents = record.queuedBytes = 0;
}

void OutputQueue::forget(ConnectionRecord& record, const Head& head) const {
  record.queuedBytes -= head.length;
  ((head.flags & kOutputEvent) != 0 ? record.queuedEvents : record.queuedReplies)--;
}

}  // namespace xcl
