// The way in: from rings and sockets into the batch.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "ring_set.h"

namespace xcl {

namespace {

// Types below zero are what native code itself reports: no guest may forge one. Nothing above 2^31 is
// served either way.
// What belongs to so many messages fits into the caches nearest to the processor.
constexpr size_t kMessagesAtOnce = 256;
constexpr size_t kCacheLine = 64;

void keepTypePositive(int32_t* wire) {
  if (wire[0] < 0) wire[0] = INT32_MAX;
}

uint32_t wordsFor(uint32_t wireBytes) {
  // The wire image begins at the record's third word.
  return 2 + (wireBytes + 3) / 4;
}

}  // namespace

size_t RingSet::fill() {
  used_ = 0;
  comeBack();
  fillNotices();
  bool isFull = false;
  // A group in which nobody has anything to say is no pass.
  while (!active_.isEmpty() && recent_.empty() && !isFull) {
    const uint32_t group = peers_[active_.first()].group;
    next_ = {active_.first(), 0, 0};
    for (size_t i = 1; i < next_.size() && next_[i - 1] != 0; i++) next_[i] = active_.after(next_[i - 1]);
    while (!active_.isEmpty() && peers_[active_.first()].group == group && !isFull && recent_.size() < kMessagesAtOnce) {
      const uint32_t id = active_.first();
      lookAhead(id);
      active_.remove(id);
      switch (take(id)) {
        case Take::kMessage:
        case Take::kProgress:
          peers_[id].isRecent = true;
          peers_[id].isReady = mayHaveMore(id);
          recent_.push_back(id);
          break;
        case Take::kNoRoom:
          active_.pushFront(id);
          isFull = true;
          break;
        case Take::kIdle:
          break;
      }
    }
  }
  fillNotices();
  if (paths_) paths_->resolve(memory_.batch.first(used_), memory_.records);
  isInBatch_ = used_ > 0;
  return used_;
}

// With many connections, what is known of one is seldom in a cache. So while one is served the memory of those
// behind it is asked for, of the nearer ones more, as where that is stands in what was asked for before.
void RingSet::lookAhead(uint32_t id) {
  if (next_[0] != id) return;
  next_ = {next_[1], next_[2], next_[2] == 0 ? 0 : active_.after(next_[2])};
  if (next_[2] != 0) fetchPeer(next_[2]);
  if (next_[1] != 0) fetchIndices(next_[1]);
  if (next_[0] != 0) fetchData(next_[0]);
}

void RingSet::fetchPeer(uint32_t id) const {
  const auto* peer = reinterpret_cast<const std::byte*>(&peers_[id]);
  __builtin_prefetch(peer);
  __builtin_prefetch(peer + kCacheLine);
  __builtin_prefetch(&memory_.records[id]);
  __builtin_prefetch(reinterpret_cast<const std::byte*>(&memory_.records[id]) + kCacheLine);
}

void RingSet::fetchIndices(uint32_t id) const {
  if (peers_[id].bytes != nullptr) __builtin_prefetch(peers_[id].bytes + kXenstoreRequests.cons);
}

// Both directions: the reply goes out soon.
void RingSet::fetchData(uint32_t id) const {
  std::byte* page = peers_[id].bytes;
  if (page == nullptr || kind_ != RingKind::kXenstore) return;
  const uint32_t from = loadShared(page, kXenstoreRequests.cons) % kXenstoreRequests.size;
  __builtin_prefetch(page + kXenstoreRequests.data + from);
  __builtin_prefetch(page + kXenstoreRequests.data + (from + kCacheLine) % kXenstoreRequests.size);
  const uint32_t to = loadShared(page, kXenstoreReplies.prod) % kXenstoreReplies.size;
  __builtin_prefetch(page + kXenstoreReplies.data + to, 1);
}

// Those of the last pass go behind whoever became ready meanwhile. Those whose replies went out
// earlier than others' could answer them while the others were served, so they are a group before.
void RingSet::comeBack() {
  uint32_t repliedIn = 0;
  bool isFirst = true;
  for (const uint32_t id : recent_) {
    Peer& peer = peers_[id];
    if (!peer.isRecent) continue;
    peer.isRecent = false;
    if (!peer.isReady) continue;
    peer.isReady = false;
    if (isFirst || peer.repliedIn != repliedIn) lastGroup_++;
    isFirst = false;
    repliedIn = peer.repliedIn;
    peer.group = lastGroup_;
    active_.pushBack(id);
  }
  recent_.clear();
}

// Of a socket that has been read to its end we hear; a ring is looked at once more.
bool RingSet::mayHaveMore(uint32_t id) const {
  const ConnectionRecord& entry = memory_.records[id];
  return entry.kind != ConnectionKind::kSocket || peers_[id].isReadable || entry.input.bytes > 0 || entry.state != 0;
}

bool RingSet::hasWholeMessage(uint32_t id) {
  const InputChain& input = record(id).input;
  WireHeader header;
  if (input.bytes >= kWireHeaderBytes) {
    pool_.peek(input, &header, sizeof(header));
    return header.len <= kPayloadMax && input.bytes >= kWireHeaderBytes + header.len;
  }
  if (record(id).kind != ConnectionKind::kRing || kind_ != RingKind::kXenstore || input.bytes > 0) return false;
  RingReader reader(page(id), kXenstoreRequests);
  if (!reader.look() || reader.available() < kWireHeaderBytes) return false;
  reader.peek(0, &header, sizeof(header));
  return header.len <= kPayloadMax && reader.available() >= kWireHeaderBytes + header.len;
}

void RingSet::fillNotices() {
  size_t done = 0;
  for (; done < notices_.size(); done++) {
    const Notice& entry = notices_[done];
    if (used_ + kRecordWords > memory_.batch.size()) break;
    if (entry.connection >= 0 && peers_[static_cast<uint32_t>(entry.connection)].generation != entry.generation) continue;
    int32_t* words = memory_.batch.data() + used_;
    words[0] = entry.connection;
    words[1] = 0;
    words[2] = entry.type;
    words[3] = entry.code;
    words[4] = 0;
    words[5] = 0;
    used_ += kRecordWords;
  }
  notices_.erase(notices_.begin(), notices_.begin() + static_cast<std::ptrdiff_t>(done));
}

RingSet::Take RingSet::take(uint32_t id) {
  if (peers_[id].isDraining) return takeLast(id);
  if (const Take gated = gate(id); gated != Take::kMessage) return gated;
  if (record(id).kind == ConnectionKind::kSocket) return takeSocket(id);
  return kind_ == RingKind::kConsole ? takeConsole(id) : takeRequest(id);
}

RingSet::Take RingSet::gate(uint32_t id) {
  const ConnectionRecord& entry = record(id);
  if ((entry.state & (kBroken | kReported | kReconnecting)) != 0 || entry.paused != 0) return Take::kIdle;
  if (entry.yields != 0 && pool_.isScarce()) {
    starved_.pushBack(id);
    return Take::kIdle;
  }
  if (entry.maxQueuedBytes != 0 && entry.queuedBytes >= entry.maxQueuedBytes) return Take::kIdle;
  const uint32_t outstanding = entry.queuedReplies + entry.queuedEvents + peers_[id].owing;
  if (entry.maxOutstanding != 0 && outstanding >= entry.maxOutstanding) return Take::kIdle;
  return Take::kMessage;
}

// The bytes stay in the ring until the batch is handled.
RingSet::Take RingSet::takeConsole(uint32_t id) {
  RingReader reader(page(id), kConsoleOutput);
  if (!reader.look() || reader.available() == 0) return Take::kIdle;
  const uint32_t bytes = reader.available();
  int32_t* wire = beginRecord(id, kWireHeaderBytes + bytes);
  if (wire == nullptr) return Take::kNoRoom;
  wire[0] = kBatchData;
  wire[1] = static_cast<int32_t>(reader.index());
  wire[2] = 0;
  wire[3] = static_cast<int32_t>(bytes);
  reader.peek(0, wire + 4, bytes);
  taken_.push_back(Taken{id, reader.index() + bytes});
  if (peers_[id].events > 0) peers_[id].events--;
  return Take::kMessage;
}

// One look is enough: a ring never holds more than is taken at once. So it ends also when the guest prints on.
RingSet::Take RingSet::takeLast(uint32_t id) {
  const Take taken = (record(id).state & kBroken) == 0 ? takeConsole(id) : Take::kIdle;
  if (taken == Take::kNoRoom) return taken;
  peers_[id].isDraining = false;
  notice(id, kBatchEmptied, 0);
  return taken;
}

// Each of them comes back in the next pass, which looks behind the barrier: whatever a guest has put meanwhile, having
// seen no need to notify, is found there.
void RingSet::publishTaken() {
  if (taken_.empty()) return;
  for (const auto& [id, cons] : taken_) {
    // Who was detached meanwhile keeps its bytes: whether they were looked at nobody knows.
    if (!isTaken(id)) continue;
    record(id).outputIndex = cons;
    storeShared(page(id), kConsoleOutput.cons, cons);
    touch(id);
  }
  taken_.clear();
  settleShared();
}

RingSet::Take RingSet::takeRequest(uint32_t id) {
  ConnectionRecord& entry = record(id);
  RingReader reader(page(id), kXenstoreRequests);
  if (!reader.look()) {
    breakRing(id, kErrorRingIndex);
    return Take::kIdle;
  }
  if (entry.input.bytes == 0 && reader.available() >= kWireHeaderBytes) {
    WireHeader header;
    reader.peek(0, &header, sizeof(header));
    if (header.len > kPayloadMax) {
      breakRing(id, kErrorProtocol);
      return Take::kIdle;
    }
    const uint32_t total = kWireHeaderBytes + header.len;
    if (reader.available() >= total) {
      int32_t* wire = beginRecord(id, total);
      if (wire == nullptr) return Take::kNoRoom;
      reader.peek(0, wire, total);
      // The guest may have changed the header meanwhile; what was checked is what counts.
      std::memcpy(wire, &header, sizeof(header));
      keepTypePositive(wire);
      reader.consume(total);
      touch(id);
      return Take::kMessage;
    }
  }
  bool hasMoved = false;
  for (;;) {
    uint32_t missing = kWireHeaderBytes - std::min(entry.input.bytes, kWireHeaderBytes);
    if (missing == 0) {
      WireHeader header;
      pool_.peek(entry.input, &header, sizeof(header));
      if (header.len > kPayloadMax) {
        breakRing(id, kErrorProtocol);
        return Take::kIdle;
      }
      const uint32_t total = kWireHeaderBytes + header.len;
      // More than one stands here after `putBack`.
      if (entry.input.bytes >= total) return takeChained(id);
      missing = total - entry.input.bytes;
    }
    const uint32_t part = std::min(missing, reader.available());
    if (part == 0) return hasMoved ? Take::kProgress : Take::kIdle;
    reader.peek(0, scratch_.data(), part);
    if (!pool_.append(entry.input, scratch_.data(), part)) {
      breakRing(id, kErrorCommunication);
      return Take::kIdle;
    }
    reader.consume(part);
    touch(id);
    hasMoved = true;
  }
}

// A complete message stands at the front of the input chain.
RingSet::Take RingSet::takeChained(uint32_t id) {
  InputChain& input = record(id).input;
  WireHeader header;
  pool_.peek(input, &header, sizeof(header));
  const uint32_t total = kWireHeaderBytes + header.len;
  int32_t* wire = beginRecord(id, total);
  if (wire == nullptr) return Take::kNoRoom;
  pool_.takeFront(input, wire, total);
  keepTypePositive(wire);
  return Take::kMessage;
}

RingSet::Take RingSet::takeSocket(uint32_t id) {
  ConnectionRecord& entry = record(id);
  for (;;) {
    if (entry.input.bytes >= kWireHeaderBytes) {
      WireHeader header;
      pool_.peek(entry.input, &header, sizeof(header));
      if (header.len > kPayloadMax) {
        pool_.clear(entry.input);
        entry.state |= kEnded;
      } else if (entry.input.bytes >= kWireHeaderBytes + header.len) {
        return takeChained(id);
      }
    }
    if ((entry.state & kEnded) != 0) return endSocket(id);
    if (!readOnce(id)) {
      if ((entry.state & kEnded) != 0) continue;
      return Take::kIdle;
    }
    // The common case, one whole request and nothing else: straight into the batch.
    if (entry.input.bytes == 0 && scratchBytes_ >= kWireHeaderBytes) {
      WireHeader header;
      std::memcpy(&header, scratch_.data(), sizeof(header));
      if (header.len <= kPayloadMax && scratchBytes_ == kWireHeaderBytes + header.len) {
        int32_t* wire = beginRecord(id, kWireHeaderBytes + header.len);
        if (wire != nullptr) {
          std::memcpy(wire, scratch_.data(), scratchBytes_);
          keepTypePositive(wire);
          return Take::kMessage;
        }
      }
    }
    if (!pool_.append(entry.input, scratch_.data(), static_cast<uint32_t>(scratchBytes_))) overflow(id);
  }
}

// The replies to what was read before go out first: the close comes in a batch of its own.
RingSet::Take RingSet::endSocket(uint32_t id) {
  ConnectionRecord& entry = record(id);
  pool_.clear(entry.input);
  if (!OutputQueue::isEmpty(entry)) return Take::kIdle;
  entry.state |= kReported;
  notice(id, kBatchClosed, 0);
  return Take::kIdle;
}

bool RingSet::readOnce(uint32_t id) {
  Peer& peer = peers_[id];
  if (!peer.isReadable) return false;
  bool isAll = false;
  const SocketResult result = readSocket(peer.fd.get(), scratch_, scratchBytes_, isAll);
  if (result == SocketResult::kDone) {
    // What comes from now on is told. Who has been told of more than bytes already is read to the end.
    if (isAll && !peer.isSpecial) peer.isReadable = false;
    return true;
  }
  peer.isReadable = false;
  if (result == SocketResult::kEnded) record(id).state |= kEnded;
  return false;
}

int32_t* RingSet::beginRecord(uint32_t id, uint32_t wireBytes) {
  const uint32_t words = wordsFor(wireBytes);
  if (used_ + words > memory_.batch.size()) return nullptr;
  int32_t* at = memory_.batch.data() + used_;
  at[words - 1] = 0;
  at[0] = static_cast<int32_t>(id);
  at[1] = 0;
  used_ += words;
  return at + 2;
}

}  // namespace xcl
