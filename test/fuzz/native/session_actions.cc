// What the bytes of an input mean.
#include <algorithm>

#include "failure.h"
#include "output_queue.h"
#include "session.h"
#include "violation.h"

namespace fuzz {

namespace {

constexpr uint32_t kMostSockets = 6;
constexpr uint32_t kFeatures = 15;
constexpr uint32_t kTypes[] = {2, 11, 4, 1, 0, 22, 65535, 0x80000000, 0xffffffff};

}  // namespace

void Session::act() {
  const uint32_t action = source_.below(33);
  switch (action) {
    case 0:
    case 1:
    case 2: {
      Peer& peer = aPeer();
      speak(peer);
      peer.push(SIZE_MAX);
      peer.kick();
      return;
    }
    case 3:
      return speak(aPeer());
    case 4: {
      Peer& peer = aPeer();
      if (!isConsole_) peer.said.overlong({kTypes[source_.below(9)], 0, 0, 4097 + source_.byte() * 65793U});
      return;
    }
    case 5: {
      Peer& peer = aPeer();
      peer.push(1 + source_.byte() % 40);
      peer.kick();
      return;
    }
    case 6: {
      Peer& peer = aPeer();
      peer.push(SIZE_MAX);
      return;
    }
    case 7: {
      Peer& peer = aPeer();
      peer.pull(1 + source_.byte());
      return;
    }
    case 8:
    case 9: {
      Peer& peer = aPeer();
      peer.pull(SIZE_MAX);
      peer.kick();
      return;
    }
    case 10:
    case 11:
      return attach(aGuest());
    case 12:
      return detach(aPeer());
    case 13:
      return reattach(aGuest());
    case 14:
      return reset(aPeer());
    case 15: {
      Peer& peer = aPeer();
      set_->resume(peer.id);
      return;
    }
    case 16:
      return limit(aPeer());
    case 17: {
      Peer& peer = aPeer();
      if (peer.id == 0) return;
      record(peer).paused = static_cast<int32_t>(source_.below(2));
      set_->resume(peer.id);
      return;
    }
    case 18:
      return corrupt(aGuest());
    case 19: {
      GuestPeer& guest = aGuest();
      // Free-running indices may stand anywhere while the ring is empty.
      if (guest.isLawful && guest.isEmpty() && guest.said.unsent().empty()) guest.restart(0xffffff00U + source_.byte());
      guest.hasMoved();
      return;
    }
    case 20:
    case 21:
    case 22:
    case 23:
      if (!isInBatch_) turn(source_.below(4) == 0 ? 1 + source_.below(6) : 0);
      return;
    case 24:
    case 25: {
      Peer& peer = aPeer();
      uint32_t flags = isConsole_ ? 0 : source_.below(4);
      // Whose request has caused the event: it is not read while too many of its requests have such.
      if ((flags & xcl::kOutputEvent) != 0) flags |= aPeer().id << xcl::kOutputCauseShift;
      const uint32_t len = source_.size();
      const bool isRepeated = source_.below(2) == 0;
      if (peer.id == 0) return;
      say(peer, flags == 0 ? 2 : 15, len, flags, isRepeated);
      if (source_.below(3) == 0) flush();
      return;
    }
    case 26:
      return flush();
    case 27:
      return expire(aPeer());
    case 28:
      return connect();
    case 29: {
      if (sockets_.empty()) return;
      SocketPeer& socket = *sockets_[source_.below(static_cast<uint32_t>(sockets_.size()))];
      source_.below(2) == 0 ? socket.close() : socket.endWriting();
      return;
    }
    case 30:
      switch (source_.below(4)) {
        case 0:
          virqsFired_++;
          world_->fireVirq(3);
          return;
        case 1:
          return die(aGuest());
        case 2:
          set_->retryAccept();
          return;
        default:
          return flushNonsense();
      }
    case 31:
      return isConsole_ ? drain(aGuest()) : ask(aGuest());
    default:
      if (!isInBatch_ && source_.below(4) == 0) settle();
      return;
  }
}

// The guest wants to begin anew with the ring that it has, as after a kexec.
void Session::ask(GuestPeer& guest) {
  if (guest.id == 0 || guest.isAsking || isConsole_ || (record(guest).features & 1) == 0) return;
  flush();
  sync(guest);
  guest.askForConnection();
  guest.heard.forget();
  guest.isAsking = guest.isGivenUp = true;
  guest.kick();
}

void Session::attach(GuestPeer& guest) {
  if (guest.id != 0) return;
  const bool isSelf = guest.domid == 0 && !isConsole_;
  if (!isConsole_) {
    if (guest.isAlive) guest.beBorn();
    guest.beginAnew();
    if (source_.below(4) == 0 && guest.isAlive) guest.askForConnection();
    if (source_.below(8) == 0 && guest.isAlive) guest.namePort(source_.below(2) == 0 ? guest.port() : 77777);
  }
  const uint32_t port = source_.below(16) == 0 ? 60000 : guest.port();
  const size_t mappings = world_->mappings();
  const size_t bindings = world_->bindings();
  uint32_t id = 0;
  try {
    id = isSelf ? set_->attachSelf()
                : set_->attach(guest.domid, source_.below(2) == 0 ? xcl::PageKind::kGref : xcl::PageKind::kGfn, 1, port,
                               kFeatures);
  } catch (const xcl::Failure&) {
    require(world_->mappings() == mappings && world_->bindings() == bindings, "a failed attach keeps something");
    return;
  }
  require(owners_[id] == nullptr, "an id was given twice");
  owners_[id] = &guest;
  guest.id = id;
  if (!isConsole_ && !isSelf) {
    require(guest.word(xcl::kXenstoreFeatures) == kFeatures, "the features were not written");
    require(guest.word(xcl::kXenstoreConnection) == 0, "the guest was not taken back");
  }
  guest.hasMoved();
}

void Session::reattach(GuestPeer& guest) {
  if (guest.id == 0 || isConsole_) return;
  flush();
  sync(guest);
  if (source_.below(2) == 0 && guest.isAlive && guest.domid != 0) guest.addPort();
  // What the page names counts first; a guest that has a new port names none or the new one.
  guest.namePort(source_.below(2) == 0 ? guest.port() : 0);
  if (source_.below(4) == 0) guest.askForConnection();
  set_->reattach(guest.id, source_.below(12) == 0 ? 60000 : guest.port());
  guest.beginAnew();
  guest.isLawful = true;
  guest.hasMoved();
  require(guest.word(xcl::kXenstoreError) == 0, "a ring taken back still says an error");
}

// What has gone out before the reset is heard; what waits, and what has come in part, is not.
void Session::reset(Peer& peer) {
  if (peer.id == 0) return;
  flush();
  sync(peer);
  peer.pull(SIZE_MAX);
  const auto& entry = record(peer);
  if ((entry.state & xcl::kWaited) != 0) peer.waits--;
  // Where a message was cut the rest is no message: such a peer is not judged any further.
  const bool isCut = entry.input.bytes != 0 || entry.queueSent != 0 || !peer.heard.isBetweenMessages();
  set_->reset(peer.id);
  peer.heard.forget();
  if (isCut) peer.isLawful = false;
}

// Held or not, announced or not.
void Session::drain(GuestPeer& guest) {
  if (guest.id == 0 || !isConsole_ || guest.isLastWanted) return;
  guest.push(SIZE_MAX);
  guest.isLastWanted = true;
  guest.lastWanted = guest.said.sent();
  set_->drain(guest.id);
}

void Session::detach(Peer& peer) {
  if (peer.id == 0) return;
  flush();
  const uint32_t id = peer.id;
  const bool isLawful = peer.isLawful;
  if (isConsole_ && isLawful && !peer.isGivenUp) peer.pull(SIZE_MAX);
  set_->detach(id);
  require(records_[id].kind == xcl::ConnectionKind::kFree, "a detached connection is not free");
  owners_[id] = nullptr;
  peer.id = 0;
  peer.isLastWanted = false;
  if (!isConsole_) {
    peer.beginAnew();
  } else {
    // Of a console's input only what had to wait is lost; its output stays in the ring.
    peer.heard.forget();
    peer.said.unsettlePlain();
    peer.waits = peer.drains = 0;
    if (peer.isGivenUp) {
      static_cast<GuestPeer&>(peer).restart(0);
      peer.beginAnew();
    }
  }
}

void Session::limit(Peer& peer) {
  constexpr uint32_t kOutstanding[] = {0, 1, 2, 20};
  constexpr uint32_t kEvents[] = {0, 1, 3, 100};
  constexpr uint32_t kBytes[] = {0, 100, 5000, 100000};
  if (peer.id == 0) return;
  auto& entry = record(peer);
  entry.maxOutstanding = kOutstanding[source_.below(4)];
  entry.maxQueuedEvents = kEvents[source_.below(4)];
  entry.maxQueuedBytes = kBytes[source_.below(4)];
  entry.yields = source_.below(2);
  set_->resume(peer.id);
}

void Session::corrupt(GuestPeer& guest) {
  const uint32_t which = source_.below(4);
  const uint32_t value = source_.byte() * 0x01010101U + source_.byte() * 5;
  if (guest.id != 0) guest.corrupt(which, value);
  guest.kick();
}

void Session::expire(Peer& peer) {
  const bool isForAll = source_.below(2) == 0;
  const auto waiting = static_cast<uint32_t>(peer.heard.waiting());
  if (isForAll) peer.heard.allowDropOfEvents();
  const uint32_t left = set_->expireEvents(peer.id, isForAll ? 0 : 1e9);
  require(!peer.isLawful || peer.isGivenUp || left <= waiting, "more events wait than there are");
}

void Session::die(GuestPeer& guest) {
  if (guest.isAlive) {
    guest.die();
  } else if (guest.id == 0) {
    guest.beBorn();
    guest.beginAnew();
  }
}

void Session::connect() {
  if (isConsole_ || sockets_.size() >= kMostSockets) return;
  const std::string path = folder_ + "/socket";
  if (!isListening_) set_->listen(path);
  isListening_ = true;
  auto socket = std::make_unique<SocketPeer>(path);
  require(!socket->isRefused(), "a socket was refused");
  newcomers_.push_back(socket.get());
  sockets_.push_back(std::move(socket));
}

void Session::speak(Peer& peer) {
  const uint32_t len = source_.size();
  if (peer.isGivenUp) return;
  if (isConsole_) {
    peer.said.plain(patternOf(peer.nextSerial++, len % 2049));
    return;
  }
  peer.said.request({kTypes[source_.below(9)], peer.nextSerial++, source_.byte(), len});
}

// Output that is no row of records is refused, and harms nobody.
void Session::flushNonsense() {
  if (isInBatch_) return;
  flush();
  const uint32_t len = xcl::kOutputPayloadRoom + 1 + source_.byte();
  const int32_t words[] = {static_cast<int32_t>(source_.byte()), 0, 2, 0, 0, static_cast<int32_t>(len)};
  std::copy(std::begin(words), std::end(words), output_.begin());
  bool isRefused = false;
  try {
    set_->flush(xcl::kRecordWords);
  } catch (const xcl::Failure&) {
    isRefused = true;
  }
  require(isRefused, "nonsense was taken for output");
}

}  // namespace fuzz
