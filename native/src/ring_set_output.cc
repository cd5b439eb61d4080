// The way out: from the output buffer into rings and sockets, what does not fit into queues.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "failure.h"
#include "ring_set.h"

namespace xcl {

namespace {

constexpr size_t kPartsAtOnce = 128;
constexpr uint32_t kScarceShare = 16;
constexpr uint32_t kOutputFlags = (1U << kOutputPlaceShift) - 1;
// So many replies wait for each other at most.
constexpr uint32_t kHeldRepliesMax = 32;

std::span<const std::byte> bytesOf(const iovec& part) {
  return {static_cast<const std::byte*>(part.iov_base), part.iov_len};
}

}  // namespace

void RingSet::flush(size_t words) {
  const bool isSound = groupAll(words);
  for (const uint32_t id : flushed_) deliver(id);
  flushed_.clear();
  settleFlush(isSound);
}

bool RingSet::flushAwaited(size_t words) {
  const bool isSound = groupAll(words);
  const auto isAwaited = [this](uint32_t id) { return isReplyAwaited(id); };
  // While nobody is told that something was done, nobody has to hear of it: so events wait, too.
  if (isSound && !recent_.empty() && std::none_of(recent_.begin(), recent_.end(), isAwaited)) return false;
  size_t held = 0;
  for (const uint32_t id : flushed_) {
    if (isSound && !peers_[id].hasEventOut && !isReplyAwaited(id)) {
      flushed_[held++] = id;
    } else {
      deliver(id);
    }
  }
  flushed_.resize(held);
  settleFlush(isSound);
  return held == 0;
}

// @returns false: the output is no row of records
bool RingSet::groupAll(size_t words) {
  flushes_++;
  bool isSound = words <= memory_.output.size() && groupedWords_ <= words;
  size_t at = groupedWords_;
  while (isSound && at < words) {
    isSound = at + kRecordWords <= words;
    if (!isSound) break;
    const int32_t* output = memory_.output.data() + at;
    const auto len = static_cast<uint32_t>(output[5]);
    const size_t end = at + kRecordWords + (static_cast<size_t>(len) + 3) / 4;
    isSound = len <= kOutputPayloadRoom && end <= words;
    if (isSound) group(static_cast<uint32_t>(output[0]), static_cast<uint32_t>(at));
    at = end;
  }
  groupedWords_ = words;
  return isSound;
}

void RingSet::settleFlush(bool isSound) {
  if (flushed_.empty()) {
    outputs_.clear();
    groupedWords_ = 0;
    causing_.settle();
  }
  notifyTouched();
  wakeStarved();
  if (!isSound) throw Failure("flush", EINVAL, "the output is no row of records");
}

// A connection that was just served and has its next message there waits for nothing.
bool RingSet::isReplyAwaited(uint32_t id) {
  const Peer& peer = peers_[id];
  if (!peer.isRecent || peer.repliesOut >= kHeldRepliesMax) return true;
  const ConnectionRecord& entry = record(id);
  const uint32_t outstanding = peer.repliesOut + entry.queuedReplies + entry.queuedEvents + peer.owing;
  if (entry.maxOutstanding != 0 && outstanding >= entry.maxOutstanding) return true;
  return gate(id) != Take::kMessage || !hasWholeMessage(id);
}

// Chains the records of each connection, so that each gets all of its own in one go.
void RingSet::group(uint32_t id, uint32_t offset) {
  if (!isTaken(id)) return;
  Peer& peer = peers_[id];
  auto flags = static_cast<uint32_t>(memory_.output[offset + 1]);
  if ((flags & kOutputEvent) == 0) {
    peer.repliedIn = flushes_;
    peer.requests++;
    peer.repliesOut++;
  } else if (const uint32_t cause = flags >> kOutputCauseShift; cause != 0 && cause != id && isTaken(cause)) {
    // Events come before the reply to what has caused them.
    Peer& writer = peers_[cause];
    writer.causingPlace = causing_.placeOf({cause, writer.tenancy, writer.requests}, writer.causingPlace);
    flags = (flags & kOutputFlags) | writer.causingPlace << kOutputPlaceShift;
    memory_.output[offset + 1] = static_cast<int32_t>(flags);
  } else {
    memory_.output[offset + 1] = static_cast<int32_t>(flags & kOutputFlags);
  }
  peer.hasEventOut = peer.hasEventOut || (flags & kOutputEvent) != 0;
  outputs_.push_back(Output{offset, 0});
  const auto place = static_cast<uint32_t>(outputs_.size());
  if (peer.firstOutput == 0) {
    peer.firstOutput = place;
    flushed_.push_back(id);
  } else {
    outputs_[peer.lastOutput - 1].next = place;
  }
  peer.lastOutput = place;
}

void RingSet::deliver(uint32_t id) {
  if (record(id).kind == ConnectionKind::kSocket) {
    deliverToSocket(id);
  } else if (record(id).kind == ConnectionKind::kRing) {
    deliverToRing(id);
  }
  Peer& peer = peers_[id];
  peer.firstOutput = peer.lastOutput = peer.repliesOut = 0;
  peer.hasEventOut = false;
}

std::span<const std::byte> RingSet::wireOf(const Output& output) const {
  const int32_t* words = memory_.output.data() + output.offset;
  const auto len = static_cast<uint32_t>(words[5]);
  if (kind_ == RingKind::kConsole) return {reinterpret_cast<const std::byte*>(words + kRecordWords), len};
  return {reinterpret_cast<const std::byte*>(words + 2), kWireHeaderBytes + len};
}

void RingSet::deliverToRing(uint32_t id) {
  // What is said here was asked before.
  if ((record(id).state & kReconnecting) != 0) return;
  RingWriter writer(page(id), kind_ == RingKind::kConsole ? kConsoleInput : kXenstoreReplies);
  bool hasPut = false;
  if (OutputQueue::isEmpty(record(id)) && (record(id).state & kBroken) == 0) {
    if (!writer.look() && kind_ == RingKind::kXenstore) breakRing(id, kErrorRingIndex);
  }
  for (uint32_t place = peers_[id].firstOutput; place != 0; place = outputs_[place - 1].next) {
    if ((record(id).state & kBroken) != 0) return;
    const auto wire = wireOf(outputs_[place - 1]);
    const auto flags = static_cast<uint32_t>(memory_.output[outputs_[place - 1].offset + 1]);
    uint32_t sent = 0;
    if (OutputQueue::isEmpty(record(id))) {
      sent = putAll(id, writer, wire);
      hasPut = hasPut || sent > 0;
      if (sent == wire.size()) continue;
    }
    if ((record(id).state & kBroken) == 0) enqueue(id, wire, sent, flags);
  }
  if (hasPut) {
    writer.publish();
    touch(id);
  }
}

// Looks again after publishing, until nothing fits: a guest that made room before it saw the full ring
// does not notify.
uint32_t RingSet::putAll(uint32_t id, RingWriter& writer, std::span<const std::byte> bytes) {
  uint32_t done = 0;
  for (;;) {
    done += writer.put(bytes.data() + done, static_cast<uint32_t>(bytes.size()) - done);
    if (done == bytes.size()) return done;
    writer.publish();
    if (!writer.look() && kind_ == RingKind::kXenstore) {
      breakRing(id, kErrorRingIndex);
      return done;
    }
    if (writer.room() == 0) return done;
  }
}

void RingSet::deliverToSocket(uint32_t id) {
  std::array<iovec, kPartsAtOnce> parts;
  uint32_t place = peers_[id].firstOutput;
  while (place != 0 && OutputQueue::isEmpty(record(id)) && (record(id).state & kDeaf) == 0) {
    size_t count = 0;
    size_t bytes = 0;
    const uint32_t start = place;
    for (; place != 0 && count < parts.size(); place = outputs_[place - 1].next) {
      const auto wire = wireOf(outputs_[place - 1]);
      parts[count++] = iovec{const_cast<std::byte*>(wire.data()), wire.size()};
      bytes += wire.size();
    }
    size_t sent = 0;
    const SocketResult result = writeSocket(peers_[id].fd.get(), std::span(parts).first(count), sent);
    if (result == SocketResult::kEnded) {
      deafen(id);
      return;
    }
    if (sent == bytes) continue;
    // Steps over what went out whole and queues the rest of the first that did not.
    for (place = start; sent >= wireOf(outputs_[place - 1]).size(); place = outputs_[place - 1].next) {
      sent -= wireOf(outputs_[place - 1]).size();
    }
    const Output& cut = outputs_[place - 1];
    enqueue(id, wireOf(cut), static_cast<uint32_t>(sent), static_cast<uint32_t>(memory_.output[cut.offset + 1]));
    place = cut.next;
  }
  for (; place != 0 && (record(id).state & kDeaf) == 0; place = outputs_[place - 1].next) {
    const Output& output = outputs_[place - 1];
    enqueue(id, wireOf(output), 0, static_cast<uint32_t>(memory_.output[output.offset + 1]));
  }
}

void RingSet::enqueue(uint32_t id, std::span<const std::byte> wire, uint32_t sent, uint32_t flags) {
  ConnectionRecord& entry = record(id);
  if (sent == 0 && (flags & kOutputCoalesce) != 0 && queue_.holdsSame(id, wire)) return;
  if (sent == 0 && (flags & kOutputEvent) != 0 && !hasRoomForEvent(entry, wire.size())) {
    // Who reads a socket can begin anew; a guest cannot, and may miss an event (XSA-326).
    if (entry.kind == ConnectionKind::kSocket) overflow(id);
    return;
  }
  if (!queue_.append(entry, id, wire, sent, flags, monotonicMs())) {
    if (kind_ == RingKind::kConsole) {
      // Other guests' bytes may have taken the room: what was typed is missed, and the console goes on.
      notice(id, kBatchDropped, static_cast<int32_t>(wire.size() - sent));
    } else {
      overflow(id);
    }
    return;
  }
  if (const uint32_t place = flags >> kOutputPlaceShift; place != 0 && causing_.addEvent(place)) {
    const CausingRequest& request = causing_.at(place);
    // Its number may have become another connection's since.
    if (peers_[request.connection].tenancy == request.tenancy) peers_[request.connection].owing++;
  }
  entry.state |= kWaited;
  if (entry.kind == ConnectionKind::kSocket && !peers_[id].isArmed) arm(id, true);
}

// Whoever has caused the event is read again when few enough of its requests have such.
void RingSet::onEventGone(uint32_t place) {
  const CausingRequest request = causing_.at(place);
  if (!causing_.removeEvent(place)) return;
  Peer& writer = peers_[request.connection];
  // The number may be another connection's by now, which owes nothing.
  if (writer.tenancy != request.tenancy) return;
  writer.owing--;
  activate(request.connection);
}

bool RingSet::hasRoomForEvent(const ConnectionRecord& entry, size_t bytes) const {
  const bool isScarce = pool_.isScarce();
  if (isScarce && entry.yields != 0) return false;
  if (entry.maxQueuedEvents != 0 && entry.queuedEvents >= entry.maxQueuedEvents) return false;
  if (entry.maxQueuedBytes == 0) return true;
  // What is left is for those that leave little lying.
  const uint32_t limit = isScarce ? entry.maxQueuedBytes / kScarceShare : entry.maxQueuedBytes;
  return entry.queuedBytes + bytes <= limit;
}

void RingSet::writeQueued(uint32_t id) {
  if (record(id).kind == ConnectionKind::kSocket) {
    writeQueuedToSocket(id);
  } else {
    writeQueuedToRing(id);
  }
  settleQueue(id);
}

void RingSet::writeQueuedToRing(uint32_t id) {
  RingWriter writer(page(id), kind_ == RingKind::kConsole ? kConsoleInput : kXenstoreReplies);
  if (!writer.look() && kind_ == RingKind::kXenstore) {
    breakRing(id, kErrorRingIndex);
    return;
  }
  std::array<iovec, kPartsAtOnce> parts;
  bool hasPut = false;
  for (bool isFull = false; !isFull && !OutputQueue::isEmpty(record(id));) {
    const size_t count = queue_.describe(record(id), parts);
    size_t done = 0;
    for (size_t i = 0; i < count && !isFull; i++) {
      const uint32_t put = putAll(id, writer, bytesOf(parts[i]));
      if ((record(id).state & kBroken) != 0) return;
      done += put;
      isFull = put < parts[i].iov_len;
    }
    hasPut = hasPut || done > 0;
    queue_.advance(record(id), done);
  }
  if (hasPut) {
    writer.publish();
    touch(id);
  }
}

void RingSet::writeQueuedToSocket(uint32_t id) {
  std::array<iovec, kPartsAtOnce> parts;
  while (!OutputQueue::isEmpty(record(id))) {
    const size_t count = queue_.describe(record(id), parts);
    size_t sent = 0;
    const SocketResult result = writeSocket(peers_[id].fd.get(), std::span(parts).first(count), sent);
    if (result == SocketResult::kEnded) {
      deafen(id);
      return;
    }
    if (sent == 0) return;
    queue_.advance(record(id), sent);
  }
}

// After the queue has become shorter: a connection held back by its queue may go on.
void RingSet::settleQueue(uint32_t id) {
  ConnectionRecord& entry = record(id);
  if (OutputQueue::isEmpty(entry)) {
    if (peers_[id].isArmed) arm(id, false);
    if ((entry.state & kWaited) != 0) {
      entry.state &= ~kWaited;
      notice(id, kBatchDrained, 0);
    }
  }
  activate(id);
}

uint32_t RingSet::expireEvents(uint32_t id, double olderThanMs) {
  if (!isTaken(id)) return 0;
  if (queue_.expire(record(id), monotonicMs() - olderThanMs) > 0) {
    settleQueue(id);
    wakeStarved();
  }
  return queue_.unstartedEvents(record(id));
}

// No block is left for what has to wait: the connection is given up, the others go on.
void RingSet::overflow(uint32_t id) {
  if (record(id).kind == ConnectionKind::kRing) {
    breakRing(id, kErrorCommunication);
    return;
  }
  record(id).state |= kEnded;
  deafen(id);
}

// What came in before is still served. It must not be forgotten either: of a message of which the rest is
// yet to be read, that rest would be taken for a message.
void RingSet::deafen(uint32_t id) {
  forgetQueue(id);
  record(id).state |= kDeaf;
  peers_[id].isReadable = true;
  activate(id);
}

void RingSet::arm(uint32_t id, bool isArmed) {
  peers_[id].isArmed = isArmed;
  epoll_event event{};
  event.events = kSocketEvents | (isArmed ? EPOLLOUT : 0U);
  event.data.u32 = id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, peers_[id].fd.get(), &event);
}

}  // namespace xcl
