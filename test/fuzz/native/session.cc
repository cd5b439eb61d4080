#include "session.h"

#include <fcntl.h>
#include <unistd.h>


#include "output_queue.h"
#include "violation.h"

namespace fuzz {

namespace {

constexpr uint32_t kVirq = 3;
constexpr uint32_t kGuests = 5;
constexpr uint32_t kMostBlocks = 4096;
constexpr uint32_t kMostRecords = 64;
// What one turn may take at most: every peer's input and a whole output buffer.
constexpr uint32_t kBlocksOfOneTurn = 1200;
constexpr int kMostRounds = 20000;

// Dirty from the session before, as the memory of a daemon that was restarted is.
alignas(4096) std::byte blockMemory[kMostBlocks * sizeof(xcl::Block)];
xcl::ConnectionRecord recordMemory[kMostRecords];
int32_t batchMemory[16384];
int32_t outputMemory[16384];

int lowestFreeFd() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(fd);
  return fd;
}

}  // namespace

Session::Session(std::span<const uint8_t> input, std::string folder, Sabotage sabotage)
    : source_(input), folder_(std::move(folder)), sabotage_(sabotage), firstFreeFd_(lowestFreeFd()) {
  open();
}

Session::~Session() = default;

void Session::open() {
  constexpr uint32_t kBlockCounts[] = {64, 160, 512, kMostBlocks, kMostBlocks, kMostBlocks};
  constexpr uint32_t kBatchWords[] = {1100, 2400, 16384};
  constexpr uint32_t kRecordCounts[] = {4, 9, kMostRecords, kMostRecords};
  isConsole_ = source_.below(5) == 0;
  const size_t bytes = kBlockCounts[source_.below(6)] * sizeof(xcl::Block);
  blocks_ = std::span(blockMemory).first(bytes);
  totalBlocks_ = static_cast<uint32_t>(
      (bytes - xcl::OutputQueue::bucketsFor(bytes) * sizeof(uint32_t)) / sizeof(xcl::Block) - 1);
  records_ = std::span(recordMemory).first(kRecordCounts[source_.below(4)]);
  batch_ = std::span(batchMemory).first(kBatchWords[source_.below(3)]);
  output_ = std::span(outputMemory);
  world_ = std::make_shared<xcl::LoopbackWorld>();
  set_ = std::make_unique<xcl::RingSet>(isConsole_ ? xcl::RingKind::kConsole : xcl::RingKind::kXenstore,
                                        std::make_unique<xcl::MachineLoopback>(world_),
                                        xcl::RingSetMemory{records_, blocks_, batch_, output_},
                                        std::vector<uint32_t>{kVirq});
  owners_.assign(records_.size(), nullptr);
  // The first is the domain that the daemon runs in.
  for (uint32_t domid = 0; domid < kGuests; domid++) {
    guests_.push_back(std::make_unique<GuestPeer>(world_, domid, isConsole_));
  }
}

void Session::play() {
  while (!source_.isOver()) {
    act();
    syncAll();
  }
  settle();
  close();
}

void Session::close() {
  for (auto& guest : guests_) {
    if (guest->id != 0 && guest->id % 2 == 0) set_->detach(guest->id);
  }
  set_.reset();
  if (sabotage_ == Sabotage::kKeepBlock) reinterpret_cast<uint32_t*>(blocks_.data())[2]++;
  require(usedBlocks() == 0, "blocks are still taken when everything is detached");
  require(world_->mappings() == 0, "pages are still mapped when everything is detached");
  require(world_->bindings() == 0, "ports are still bound when everything is detached");
  sockets_.clear();
  require(lowestFreeFd() == firstFreeFd_, "a descriptor is still open when everything is closed");
}

Peer& Session::aPeer() {
  const auto count = static_cast<uint32_t>(guests_.size() + sockets_.size());
  const uint32_t chosen = source_.below(count);
  if (chosen < guests_.size()) return *guests_[chosen];
  return *sockets_[chosen - guests_.size()];
}

// Words of the pool's own block (block_pool.h): the third counts what is taken.
uint32_t Session::usedBlocks() const { return reinterpret_cast<const uint32_t*>(blocks_.data())[2]; }

bool Session::mayBeExhausted() const { return usedBlocks() + kBlocksOfOneTurn >= totalBlocks_; }

void Session::syncAll() {
  eachPeer([&](Peer& peer) { sync(peer); });
}

// Has the daemon given up a peer that has done nothing wrong?
void Session::sync(Peer& peer) {
  if (mayBeExhausted()) peer.mayBeGivenUp = true;
  if (peer.id == 0 || peer.isGivenUp) return;
  if ((record(peer).state & (xcl::kBroken | xcl::kDeaf)) == 0) return;
  const bool hasEnded = peer.isSocket() && static_cast<SocketPeer&>(peer).isClosed();
  require(!peer.isLawful || hasEnded || peer.mayBeGivenUp || peer.said.isBreaking(),
          "a peer was given up that has done nothing wrong");
  peer.isGivenUp = true;
  peer.heard.forget();
}

// Everybody says and hears the rest; then nothing may be missing.
void Session::settle() {
  flush();
  // Limits end no conversation as long as everybody reads. Who does not, holds up those who tell him news.
  const bool isLimited = isEverybodyWell() && messages_ % 2 == 0;
  eachPeer([&](Peer& peer) {
    if (peer.id == 0) return;
    auto& entry = record(peer);
    if (!isLimited) entry.maxOutstanding = entry.maxQueuedEvents = entry.maxQueuedBytes = entry.yields = 0;
    entry.paused = 0;
    set_->resume(peer.id);
  });
  set_->retryAccept();
  int round = 0;
  // A turn that moves nothing but what waited in queues is seen in the round after it.
  for (int idleRounds = 0; idleRounds < 2 || set_->hasWork(); round++) {
    require(round < kMostRounds, "the set does not come to rest");
    bool hasMoved = false;
    eachPeer([&](Peer& peer) {
      const size_t moved = (peer.isGivenUp ? 0 : peer.push(SIZE_MAX)) + peer.pull(SIZE_MAX);
      hasMoved = hasMoved || moved > 0;
      peer.kick();
    });
    hasMoved_ = false;
    turn(0);
    syncAll();
    idleRounds = hasMoved || hasMoved_ ? 0 : idleRounds + 1;
  }
  eachPeer([&](Peer& peer) { checkSettled(peer); });
  require(virqsHeard_ > 0 || virqsFired_ == 0, "a VIRQ was not heard of");
}

bool Session::isEverybodyWell() {
  bool isWell = true;
  eachPeer([&](Peer& peer) {
    if (peer.id == 0) return;
    isWell = isWell && peer.isLawful && !peer.isGivenUp && !peer.said.isBreaking();
    if (peer.isSocket()) {
      isWell = isWell && !static_cast<SocketPeer&>(peer).hasEnded();
    } else {
      isWell = isWell && static_cast<GuestPeer&>(peer).isAlive && record(peer).localPort != 0;
    }
  });
  return isWell;
}

void Session::checkSettled(Peer& peer) {
  if (peer.id == 0) return;
  require(!peer.isLastWanted, "the end of a drain was not told of");
  if (peer.isSocket()) {
    auto& socket = static_cast<SocketPeer&>(peer);
    const bool mustEnd = socket.hasEnded() || (peer.isLawful && peer.said.isBreaking()) || peer.isGivenUp;
    require(!mustEnd || peer.isReported, "the end of a socket was not reported");
    if (socket.isClosed()) return;
  } else if (!isConsole_ && !peer.isAsking && ((peer.isLawful && peer.said.isBreaking()) || static_cast<GuestPeer&>(peer).isCorrupt())) {
    const auto& guest = static_cast<GuestPeer&>(peer);
    require(peer.isReported || record(peer).localPort == 0 || !guest.isAlive, "a broken ring was not reported");
  }
  if (!peer.isSocket() && record(peer).localPort != 0 && static_cast<GuestPeer&>(peer).isAlive) {
    require(!peer.isAsking, "a guest has asked in vain for a new beginning");
  }
  if (!peer.isLawful || peer.isGivenUp) return;
  // Nobody hears a guest without a port.
  if (!peer.isSocket() && (record(peer).localPort == 0 || !static_cast<GuestPeer&>(peer).isAlive)) return;
  require(peer.said.isBreaking() || peer.said.unsent().empty() || peer.isSocket(), "a ring does not take its requests");
  require(peer.said.isDelivered(), "a message was not delivered");
  peer.heard.checkNothingIsMissing();
  const auto& entry = record(peer);
  require(entry.queuedBytes == 0 && entry.queuedEvents == 0 && entry.queuedReplies == 0, "a queue is not empty");
  require(peer.waits == peer.drains, "a queue that has drained was not told of");
}

}  // namespace fuzz
