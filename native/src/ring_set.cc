#include "ring_set.h"

#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "failure.h"

namespace xcl {

namespace {

// XENSTORE_RECONNECT of xs_wire.h: the guest waits until it is taken back.
constexpr uint32_t kReconnectAsked = 1;
// XENSTORE_SERVER_FEATURE_RECONNECTION.
constexpr uint32_t kFeatureReconnection = 1;

std::span<uint32_t> bucketsIn(std::span<std::byte> blocks) {
  const size_t count = OutputQueue::bucketsFor(blocks.size());
  return {reinterpret_cast<uint32_t*>(blocks.last(count * sizeof(uint32_t)).data()), count};
}

}  // namespace

double monotonicMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

RingSet::RingSet(RingKind kind, std::unique_ptr<Machine> machine, const RingSetMemory& memory,
                 const std::vector<uint32_t>& virqs)
    : kind_(kind),
      machine_(std::move(machine)),
      memory_(memory),
      pool_(memory.blocks.first(memory.blocks.size() - bucketsIn(memory.blocks).size_bytes())),
      queue_(pool_, bucketsIn(memory.blocks), *this),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      peers_(1),
      active_(peers_),
      starved_(peers_),
      virqs_(virqs) {
  if (!epoll_.isOpen()) throw Failure("epoll_create", errno, "cannot make an epoll descriptor");
  // What a set of before has left is not taken over: its mappings and descriptors went with it.
  const uint32_t leftOver = std::min<uint32_t>(record(0).fresh, static_cast<uint32_t>(memory_.records.size()));
  for (uint32_t id = 1; id < leftOver; id++) record(id) = ConnectionRecord{};
  record(0) = ConnectionRecord{};
  record(0).fresh = 1;
  watchPorts();
  bindVirqs();
}

RingSet::~RingSet() {
  for (uint32_t id = 1; id < peers_.size(); id++) {
    if (record(id).kind != ConnectionKind::kFree) detach(id);
  }
  for (const uint32_t port : virqPorts_) machine_->unbind(port);
}

uint32_t RingSet::attach(uint32_t domid, PageKind kind, uint64_t pageNumber, uint32_t remotePort, uint32_t features) {
  std::unique_ptr<MappedPage> mapped = kind == PageKind::kGref
                                           ? machine_->mapGrant(domid, static_cast<uint32_t>(pageNumber))
                                           : machine_->mapFrame(domid, pageNumber);
  const uint32_t id = takeId();
  ConnectionRecord& entry = record(id);
  entry.kind = ConnectionKind::kRing;
  entry.domid = static_cast<int32_t>(domid);
  entry.remotePort = remotePort;
  entry.pageKind = static_cast<int32_t>(kind);
  entry.pageLow = static_cast<uint32_t>(pageNumber);
  entry.pageHigh = static_cast<uint32_t>(pageNumber >> 32);
  entry.features = features;
  peers_[id].setPage(std::move(mapped));
  try {
    bindGuestPort(id, remotePort);
  } catch (const Failure&) {
    peers_[id].setPage(nullptr);
    freeId(id);
    throw;
  }
  if (initialisePage(id)) machine_->notify(entry.localPort);
  activate(id);
  return id;
}

uint32_t RingSet::attachSelf() {
  uint32_t remotePort = 0;
  std::unique_ptr<MappedPage> mapped = machine_->mapSelf(remotePort);
  const uint32_t id = takeId();
  ConnectionRecord& entry = record(id);
  entry.kind = ConnectionKind::kRing;
  entry.remotePort = remotePort;
  entry.pageKind = static_cast<int32_t>(PageKind::kSelf);
  peers_[id].setPage(std::move(mapped));
  try {
    bindPort(id);
  } catch (const Failure&) {
    peers_[id].setPage(nullptr);
    freeId(id);
    throw;
  }
  // The kernel waits for this before it uses the ring. Its indices stay: they are its own.
  machine_->notify(entry.localPort);
  activate(id);
  return id;
}

void RingSet::reattach(uint32_t id, uint32_t remotePort) {
  require(isTaken(id) && record(id).kind == ConnectionKind::kRing, id);
  ConnectionRecord& entry = record(id);
  forgetTraffic(id);
  entry.state = 0;
  // What was to be said of the connection's past is not said any more.
  peers_[id].generation++;
  unbindPort(id);
  const bool isAwaited = initialisePage(id);
  try {
    bindGuestPort(id, remotePort);
    if (isAwaited) machine_->notify(entry.localPort);
  } catch (const Failure&) {
    entry.localPort = 0;
  }
  activate(id);
}

bool RingSet::isBound(uint32_t id) const {
  if (!isTaken(id)) return false;
  const ConnectionRecord& entry = memory_.records[id];
  return entry.localPort != 0 && machine_->isBound(static_cast<uint32_t>(entry.domid), entry.localPort, entry.remotePort);
}

void RingSet::reconnect(uint32_t id) {
  require(isTaken(id) && record(id).kind == ConnectionKind::kRing, id);
  forgetTraffic(id);
  record(id).state = 0;
  peers_[id].generation++;
  initialisePage(id);
  if (record(id).localPort != 0) machine_->notify(record(id).localPort);
  activate(id);
}

void RingSet::reset(uint32_t id) {
  require(isTaken(id), id);
  forgetTraffic(id);
  activate(id);
}

void RingSet::resume(uint32_t id) {
  if (!isTaken(id)) return;
  listenAgain(id);
  activate(id);
}

// It is not served before its turn: those who wait were promised one quantum of each other at most.
void RingSet::drain(uint32_t id) {
  require(kind_ == RingKind::kConsole && isTaken(id), id);
  peers_[id].isDraining = true;
  activate(id);
}

void RingSet::detach(uint32_t id) {
  if (!isTaken(id)) return;
  forgetTraffic(id);
  active_.remove(id);
  starved_.remove(id);
  Peer& peer = peers_[id];
  unbindPort(id);
  peer.setPage(nullptr);
  peer.fd.reset();
  peer.generation++;
  peer.isReadable = peer.isSpecial = peer.isArmed = peer.isRecent = peer.isReady = peer.isMasked = false;
  peer.isDraining = false;
  peer.owing = 0;
  peer.events = 0;
  peer.tenancy++;
  record(id) = ConnectionRecord{};
  if (isInBatch_) {
    freedInBatch_.push_back(id);
  } else {
    freeId(id);
  }
}

void RingSet::notifyTouched() {
  for (const uint32_t id : touched_) {
    peers_[id].isTouched = false;
    if (record(id).localPort != 0) machine_->notify(record(id).localPort);
  }
  touched_.clear();
}

void RingSet::endBatch() {
  isInBatch_ = false;
  for (const uint32_t id : freedInBatch_) freeId(id);
  freedInBatch_.clear();
  taken_.clear();
}

bool RingSet::isTaken(uint32_t id) const {
  return id != 0 && id < peers_.size() && memory_.records[id].kind != ConnectionKind::kFree;
}

void RingSet::require(bool isMet, uint32_t id) {
  if (!isMet) throw Failure("connection", ENOENT, "no such connection (" + std::to_string(id) + ")");
}

uint32_t RingSet::takeId() {
  ConnectionRecord& head = memory_.records[0];
  uint32_t id = head.nextFree;
  if (id != 0) {
    head.nextFree = record(id).nextFree;
  } else {
    if (peers_.size() >= memory_.records.size()) {
      throw Failure("connection", ENOSPC, "cannot serve more than " + std::to_string(peers_.size() - 1) + " connections");
    }
    id = static_cast<uint32_t>(peers_.size());
    peers_.emplace_back();
    head.fresh = id + 1;
  }
  record(id) = ConnectionRecord{};
  return id;
}

void RingSet::freeId(uint32_t id) {
  ConnectionRecord& head = memory_.records[0];
  record(id) = ConnectionRecord{};
  record(id).nextFree = head.nextFree;
  head.nextFree = id;
}

void RingSet::bindPort(uint32_t id) {
  ownPort(id, machine_->bind(static_cast<uint32_t>(record(id).domid), record(id).remotePort));
}

void RingSet::ownPort(uint32_t id, uint32_t localPort) {
  record(id).localPort = localPort;
  if (localPort >= ports_.size()) ports_.resize(localPort + 1);
  ports_[localPort] = static_cast<int32_t>(id);
}

void RingSet::bindVirqs() {
  for (const uint32_t virq : virqs_) {
    const uint32_t port = machine_->bindVirq(virq);
    if (port >= ports_.size()) ports_.resize(port + 1);
    ports_[port] = -static_cast<int32_t>(virq) - 1;
    virqPorts_.push_back(port);
  }
}

void RingSet::unbindPort(uint32_t id) {
  const uint32_t port = record(id).localPort;
  if (port == 0) return;
  peers_[id].isMasked = false;
  ports_[port] = 0;
  record(id).localPort = 0;
  machine_->unbind(port);
}

bool RingSet::initialisePage(uint32_t id) {
  if (kind_ == RingKind::kConsole) {
    page(id)[kConsoleConnection] = std::byte{0};
    record(id).outputIndex = loadShared(page(id), kConsoleOutput.cons);
    // A predecessor that was killed may have made room in the ring and not have come to saying so.
    return true;
  }
  const bool isAwaited = loadShared(page(id), kXenstoreConnection) == kReconnectAsked;
  for (const RingLayout& layout : {kXenstoreRequests, kXenstoreReplies}) {
    storeShared(page(id), layout.cons, 0);
    storeShared(page(id), layout.prod, 0);
  }
  storeShared(page(id), kXenstoreFeatures, record(id).features);
  storeShared(page(id), kXenstoreError, 0);
  storeShared(page(id), kXenstoreConnection, 0);
  return isAwaited;
}

void RingSet::bindGuestPort(uint32_t id, uint32_t remotePort) {
  const uint32_t named = kind_ == RingKind::kXenstore ? loadShared(page(id), kXenstorePort) : 0;
  if (named != 0 && named != remotePort) {
    record(id).remotePort = named;
    try {
      bindPort(id);
      return;
    } catch (const Failure&) {
      // The guest can write there, too: nonsense does not count.
    }
  }
  record(id).remotePort = remotePort;
  bindPort(id);
}

// A guest that asks for a new beginning waits until it is told so, also after it broke its ring: nothing is
// read or written until TypeScript has forgotten the connection's past, too, and says `reconnect`.
bool RingSet::isReconnecting(uint32_t id) {
  ConnectionRecord& entry = record(id);
  if ((entry.features & kFeatureReconnection) == 0) return false;
  if ((entry.state & kReconnecting) != 0) return true;
  if (loadShared(page(id), kXenstoreConnection) != kReconnectAsked) return false;
  forgetTraffic(id);
  entry.state |= kReconnecting;
  notice(id, kBatchReconnect, 0);
  return true;
}

void RingSet::forgetTraffic(uint32_t id) {
  pool_.clear(record(id).input);
  forgetQueue(id);
}

void RingSet::forgetQueue(uint32_t id) {
  queue_.clear(record(id));
  record(id).state &= ~kWaited;
  if (peers_[id].isArmed) arm(id, false);
}

void RingSet::activate(uint32_t id) {
  if (!isTaken(id)) return;
  Peer& peer = peers_[id];
  if (peer.isRecent) {
    peer.isReady = true;
  } else if (!active_.holds(id)) {
    peer.group = lastGroup_;
    active_.pushBack(id);
  }
}

void RingSet::wakeStarved() {
  if (starved_.isEmpty() || !pool_.isAmple()) return;
  while (!starved_.isEmpty()) {
    const uint32_t id = starved_.first();
    starved_.remove(id);
    activate(id);
  }
}

void RingSet::notice(uint32_t id, int32_t type, int32_t code) {
  notices_.push_back(Notice{static_cast<int32_t>(id), type, code, peers_[id].generation});
}

void RingSet::breakRing(uint32_t id, int32_t code) {
  forgetTraffic(id);
  record(id).state |= kBroken;
  if (kind_ == RingKind::kXenstore) storeShared(page(id), kXenstoreError, static_cast<uint32_t>(code));
  notice(id, kBatchBroken, code);
}

void RingSet::touch(uint32_t id) {
  if (peers_[id].isTouched) return;
  peers_[id].isTouched = true;
  touched_.push_back(id);
}

}  // namespace xcl
