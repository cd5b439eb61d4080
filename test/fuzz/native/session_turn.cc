// A turn of the set as the addon makes it, and what the oracle sees in its batch.
#include <algorithm>
#include <cstring>

#include "output_queue.h"
#include "session.h"
#include "violation.h"

namespace fuzz {

namespace {

constexpr uint32_t kBlockPayload = 216;

}  // namespace

void Session::turn(uint32_t actionsInBatch) {
  set_->collect();
  const size_t words = set_->fill();
  if (words > 0) {
    isInBatch_ = true;
    syncAll();
    checkBatch(words);
    const std::vector<int32_t> copy(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(words));
    answerAsking();
    for (; actionsInBatch > 0; actionsInBatch--) act();
    require(std::equal(copy.begin(), copy.end(), batch_.begin()), "a batch changed while it was read");
    publish();
    flush(source_.below(16) != 0);
    set_->endBatch();
    isInBatch_ = false;
  } else {
    flush();
  }
  set_->notifyTouched();
  checkNotifications();
}

// Up to here the guests' consoles are as they were when the batch was made.
void Session::publish() {
  for (const auto& [guest, index] : taken_) {
    require(!guest->isLawful || guest->outputIndex() == index, "output left its ring before the batch was handled");
  }
  taken_.clear();
  set_->publishTaken();
  for (auto& guest : guests_) guest->said.settlePlain();
}

void Session::checkBatch(size_t words) {
  require(words <= batch_.size(), "a batch is longer than its buffer");
  const std::vector<int32_t> taken(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(words));
  for (size_t at = 0; at < words;) {
    require(at + xcl::kRecordWords <= words, "a batch ends within a record");
    const int32_t* record = taken.data() + at;
    const bool isMessage = record[2] >= 0 || record[2] == xcl::kBatchData;
    const size_t len = isMessage ? static_cast<uint32_t>(record[5]) : 0;
    require(len <= xcl::kPayloadMax && at + xcl::kRecordWords + (len + 3) / 4 <= words, "a record is too long");
    checkRecord(record);
    if (isMessage && sabotage_ == Sabotage::kDoubleMessage && messages_ % 7 == 6) checkRecord(record);
    at += xcl::kRecordWords + (len + 3) / 4;
  }
}

void Session::checkRecord(const int32_t* words) {
  // Who kicks without saying anything is told of, and nothing has moved.
  hasMoved_ = hasMoved_ || words[2] != xcl::kBatchEvents;
  if (words[2] == xcl::kBatchVirq) {
    virqsHeard_++;
    require(words[0] == -1 && words[3] == 3 && virqsHeard_ <= virqsFired_, "a VIRQ was heard of that did not fire");
    return;
  }
  require(words[0] > 0 && static_cast<size_t>(words[0]) < owners_.size(), "a record is of no connection");
  const auto id = static_cast<uint32_t>(words[0]);
  if (words[2] == xcl::kBatchOpened) {
    require(owners_[id] == nullptr && !newcomers_.empty(), "a connection was opened that nobody asked for");
    owners_[id] = newcomers_.front();
    newcomers_.erase(newcomers_.begin());
    owners_[id]->id = id;
    sync(*owners_[id]);
    return;
  }
  require(owners_[id] != nullptr, "a record is of a connection that was detached");
  Peer& peer = *owners_[id];
  if (words[2] == xcl::kBatchDrained) {
    peer.drains++;
    require(peer.drains <= peer.waits || !peer.isLawful, "a queue drained that nothing had waited in");
    return;
  }
  if (words[2] == xcl::kBatchEvents) {
    require(isConsole_ && words[3] > 0, "events are told of that are no console's, or none");
    return;
  }
  if (words[2] == xcl::kBatchDropped) {
    require(isConsole_ && words[3] > 0, "typed bytes were dropped that nobody typed");
    // What it is told from here on has a gap somewhere.
    peer.isGivenUp = true;
    peer.heard.forget();
    return;
  }
  if (words[2] == xcl::kBatchEmptied) {
    require(peer.isLastWanted, "a ring is said to be drained that nobody wanted drained");
    peer.isLastWanted = false;
    require(!peer.isLawful || peer.isGivenUp || peer.said.delivered() >= peer.lastWanted,
            "a ring is said to be drained that is not");
    return;
  }
  if (words[2] == xcl::kBatchReconnect) {
    require(peer.isAsking, "a guest is to begin anew that has not asked");
    asking_.push_back(id);
    return;
  }
  if (words[2] == xcl::kBatchBroken || words[2] == xcl::kBatchClosed) {
    require(!peer.isReported, "an end was reported twice");
    require(peer.isSocket() == (words[2] == xcl::kBatchClosed), "a ring closed, or a socket broke");
    peer.isReported = true;
    if (!peer.isSocket()) {
      require(peer.isGivenUp, "a ring is reported broken that is not");
      const auto& guest = static_cast<GuestPeer&>(peer);
      require(isConsole_ || !peer.isLawful || guest.word(xcl::kXenstoreError) == static_cast<uint32_t>(words[3]),
              "a broken ring's error word does not say so");
    } else {
      const auto& socket = static_cast<SocketPeer&>(peer);
      require(!peer.isLawful || socket.hasEnded() || peer.said.isBreaking() || peer.mayBeGivenUp,
              "a socket was closed without reason");
    }
    return;
  }
  messages_++;
  require(!peer.isReported, "a message came after the end");
  require(record(peer).paused == 0 || peer.isLastWanted, "a message came of a paused connection");
  if (!peer.isLawful) return;
  const auto len = static_cast<uint32_t>(words[5]);
  Bytes wire(xcl::kWireHeaderBytes + len);
  std::memcpy(wire.data(), words + 2, wire.size());
  if (sabotage_ == Sabotage::kLoseMessage && messages_ % 7 == 6) return;
  if (sabotage_ == Sabotage::kFlipByte && messages_ % 7 == 6) wire.back() ^= std::byte{1};
  if (words[2] == xcl::kBatchData) {
    auto& guest = static_cast<GuestPeer&>(peer);
    require(static_cast<uint32_t>(words[3]) == guest.outputIndex(), "output came with another place than its own");
    taken_.emplace_back(&guest, guest.outputIndex());
    peer.said.checkPlain(std::span(wire).subspan(xcl::kWireHeaderBytes));
  } else {
    peer.said.checkRequest(wire);
    reply(peer, static_cast<uint32_t>(words[3]) % 5 == 0 ? 0 : len % 700);
  }
}

// As TypeScript does: what was said before goes out first, where nobody hears it.
void Session::answerAsking() {
  flush();
  for (const uint32_t id : asking_) {
    auto& guest = static_cast<GuestPeer&>(*owners_[id]);
    set_->reconnect(id);
    guest.beginAnew();
    guest.isLawful = true;
    guest.hasMoved();
    require(guest.word(xcl::kXenstoreConnection) == 0 && guest.word(xcl::kXenstoreError) == 0,
            "a guest that begins anew is not told so");
  }
  asking_.clear();
}

void Session::checkNotifications() {
  for (auto& guest : guests_) {
    if (guest->id == 0 || !guest->isAlive || !guest->isLawful || guest->isGivenUp) continue;
    if (record(*guest).localPort == 0) continue;
    const bool hasMoved = guest->hasMoved();
    const bool isTold = guest->takeNotifications() > 0;
    require(!hasMoved || isTold, "a guest was not notified of what the daemon took or put");
  }
}

void Session::reply(Peer& peer, uint32_t len) { say(peer, 2, len, 0, false); }

// Puts a message for a peer into the output, as TypeScript does.
void Session::say(Peer& peer, uint32_t type, uint32_t len, uint32_t flags, bool isRepeated) {
  const size_t words = xcl::kRecordWords + (len + 3) / 4;
  if (outputWords_ + words > output_.size()) flush();
  const uint32_t serial = peer.nextSerial++;
  int32_t* at = output_.data() + outputWords_;
  const xcl::WireHeader header{type, serial, 0, len};
  const Bytes wire = wireOf(header, patternOf(isRepeated ? type : serial, len));
  at[0] = static_cast<int32_t>(peer.id);
  at[1] = static_cast<int32_t>(flags);
  std::memcpy(at + 2, wire.data(), wire.size());
  outputWords_ += words;
  outputs_.push_back(Output{&peer, serial, flags, static_cast<uint32_t>(wire.size())});
  if (peer.isGivenUp || peer.id == 0) return;
  replies_++;
  if (sabotage_ == Sabotage::kDoubleReply && replies_ % 9 == 8) {
    // The oracle is told of fewer than there are.
    return;
  }
  if (isConsole_) {
    peer.heard.handedOverPlain(std::span(wire).subspan(xcl::kWireHeaderBytes));
  } else {
    peer.heard.handedOver(serial, wire, flags);
  }
  if (sabotage_ == Sabotage::kLoseReply && replies_ % 9 == 8) {
    // And here of more: this one does not reach the set.
    outputWords_ -= words;
    outputs_.pop_back();
  }
}

void Session::flush(bool mayHoldBack) {
  if (outputWords_ == 0) return;
  std::vector<std::pair<Peer*, bool>> wereEmpty;
  eachPeer([&](Peer& peer) {
    if (peer.id == 0) return;
    wereEmpty.emplace_back(&peer, record(peer).queuedBytes == 0);
    if (mayBeExhausted()) peer.mayBeGivenUp = true;
  });
  bool isAllOut = true;
  if (mayHoldBack) {
    isAllOut = set_->flushAwaited(outputWords_);
  } else {
    set_->flush(outputWords_);
  }
  for (const auto& [peer, wasEmpty] : wereEmpty) {
    if (wasEmpty && record(*peer).queuedBytes > 0) peer->waits++;
  }
  for (const Output& output : outputs_) noteDrops(output);
  if (isAllOut) {
    outputWords_ = 0;
    outputs_.clear();
  }
  syncAll();
}

// By the figures after the flush: within it a queue only becomes longer.
void Session::noteDrops(const Output& output) {
  Peer& peer = *output.peer;
  if (peer.id == 0 || isConsole_) return;
  const auto& entry = record(peer);
  if ((output.flags & xcl::kOutputCoalesce) != 0 && entry.queuedBytes > 0 && peer.heard.hasSameBefore(output.serial)) {
    peer.heard.allowDrop(output.serial);
  }
  if ((output.flags & xcl::kOutputEvent) == 0) return;
  const bool isScarce = usedBlocks() + output.bytes / kBlockPayload + 40 >= totalBlocks_ * 3 / 4;
  const uint32_t limit = isScarce ? entry.maxQueuedBytes / 16 : entry.maxQueuedBytes;
  const bool isFull = (entry.maxQueuedEvents != 0 && entry.queuedEvents >= entry.maxQueuedEvents) ||
                      (entry.maxQueuedBytes != 0 && entry.queuedBytes + output.bytes > limit) ||
                      (isScarce && entry.yields != 0) || (entry.state & xcl::kDeaf) != 0;
  if (!isFull) return;
  peer.heard.allowDrop(output.serial);
  // Who reads a socket can begin anew.
  if (peer.isSocket()) peer.mayBeGivenUp = true;
}

}  // namespace fuzz
