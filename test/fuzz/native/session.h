// One input, played: a set of rings and sockets in a loopback world, peers at the far ends, and the
// oracle between them. What the set promises (native/ring-set.ts):
//
//   - every well-formed message comes into a batch exactly once, in order, unchanged
//   - every reply comes out at the peer exactly once, in order, unchanged; so does every event, unless
//     it says what a waiting one says, its queue is at its limit, blocks are scarce, or it has expired
//   - who breaks the protocol is reported once, and nobody else is
//   - what a console prints stays in its ring until the batch is handled, also when it is detached meanwhile
//   - what is in a console's ring when it is drained comes before that is said to be done, which it is once
//   - guests are notified of what the daemon has taken and put
//   - when all is detached nothing is held: no block, mapping, port or descriptor
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "action_source.h"
#include "peer.h"
#include "ring_set.h"
#include "sabotage.h"

namespace fuzz {

class Session {
 public:
  /** @param folder where the listening socket goes */
  Session(std::span<const uint8_t> input, std::string folder, Sabotage sabotage);
  ~Session();

  /** Plays the input to its end, settles and closes. @throws Violation */
  void play();
  /** Messages that came in. */
  uint64_t messages() const { return messages_; }

 private:
  struct Output {
    Peer* peer;
    uint32_t serial;
    uint32_t flags;
    uint32_t bytes;
  };

  // session.cc
  void open();
  void close();
  void settle();
  bool isEverybodyWell();
  void checkSettled(Peer& peer);
  GuestPeer& aGuest() { return *guests_[source_.below(static_cast<uint32_t>(guests_.size()))]; }
  Peer& aPeer();
  xcl::ConnectionRecord& record(const Peer& peer) { return records_[peer.id]; }
  void sync(Peer& peer);
  void syncAll();
  /** So few blocks are free that anybody may have been given up. */
  bool mayBeExhausted() const;
  uint32_t usedBlocks() const;
  template <typename Visit>
  void eachPeer(Visit visit);

  // session_turn.cc
  void turn(uint32_t actionsInBatch);
  void checkBatch(size_t words);
  void checkRecord(const int32_t* words);
  void checkNotifications();
  void publish();
  void answerAsking();
  void reply(Peer& peer, uint32_t len);
  void say(Peer& peer, uint32_t type, uint32_t len, uint32_t flags, bool isRepeated);
  /** @param mayHoldBack replies may wait for later ones, as they may in the addon */
  void flush(bool mayHoldBack = false);
  void noteDrops(const Output& output);

  // session_actions.cc
  void act();
  void ask(GuestPeer& guest);
  void attach(GuestPeer& guest);
  void reattach(GuestPeer& guest);
  void reset(Peer& peer);
  void drain(GuestPeer& guest);
  void detach(Peer& peer);
  void limit(Peer& peer);
  void corrupt(GuestPeer& guest);
  void expire(Peer& peer);
  void die(GuestPeer& guest);
  void connect();
  void speak(Peer& peer);
  void flushNonsense();

  ActionSource source_;
  const std::string folder_;
  const Sabotage sabotage_;
  bool isConsole_ = false;
  uint32_t totalBlocks_ = 0;
  std::shared_ptr<xcl::LoopbackWorld> world_;
  std::unique_ptr<xcl::RingSet> set_;
  std::span<xcl::ConnectionRecord> records_;
  std::span<std::byte> blocks_;
  std::span<int32_t> batch_;
  std::span<int32_t> output_;
  std::vector<std::unique_ptr<GuestPeer>> guests_;
  std::vector<std::unique_ptr<SocketPeer>> sockets_;
  /** Connected and not yet accepted, oldest first. */
  std::vector<SocketPeer*> newcomers_;
  /** By connection id. */
  std::vector<Peer*> owners_;
  /** Connections of guests that are to begin anew. */
  std::vector<uint32_t> asking_;
  /** Whose output is in the batch at hand, and where it begins. */
  std::vector<std::pair<GuestPeer*, uint32_t>> taken_;
  std::vector<Output> outputs_;
  size_t outputWords_ = 0;
  uint32_t virqsFired_ = 0;
  uint32_t virqsHeard_ = 0;
  uint32_t replies_ = 0;
  bool isListening_ = false;
  bool isInBatch_ = false;
  bool hasMoved_ = false;
  uint64_t messages_ = 0;
  int firstFreeFd_ = -1;
};

template <typename Visit>
void Session::eachPeer(Visit visit) {
  for (auto& guest : guests_) visit(*guest);
  for (auto& socket : sockets_) visit(*socket);
}

}  // namespace fuzz
