// What is ready: event channels, sockets that may be read or written, newcomers.
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "failure.h"
#include "ring_set.h"

namespace xcl {

namespace {

// What an epoll event is about, where it is no connection.
constexpr uint32_t kPortsTag = UINT32_MAX;
constexpr uint32_t kListenerTag = UINT32_MAX - 1;
constexpr uint32_t kLoopTag = UINT32_MAX - 2;
constexpr size_t kPortsAtOnce = 1024;

void watch(int epoll, int fd, uint32_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = tag;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw Failure("epoll_ctl", errno, "cannot watch descriptor " + std::to_string(fd));
  }
}

}  // namespace

void RingSet::listen(const std::string& path) {
  if (kind_ != RingKind::kXenstore) throw Failure("listen", ENOTSUP, "cannot listen at " + path);
  listener_.emplace(path);
  watchListener();
}

void RingSet::watchListener() { watch(epoll_.get(), listener_->fd(), kListenerTag); }

void RingSet::watchPorts() { watch(epoll_.get(), machine_->pendingFd(), kPortsTag); }

void RingSet::watchLoop(int fd) { watch(epoll_.get(), fd, kLoopTag); }

RingSet::Found RingSet::wait(int timeoutMs) {
  const int count = epoll_wait(epoll_.get(), events_.data(), events_.size(), timeoutMs);
  found_ = static_cast<size_t>(std::max(count, 0));
  Found found;
  for (size_t i = 0; i < found_; i++) (events_[i].data.u32 == kLoopTag ? found.isLoop : found.isOwn) = true;
  if (!found.isOwn) found_ = 0;
  return found;
}

bool RingSet::hasWork() const {
  if (!active_.isEmpty() || !notices_.empty()) return true;
  return std::any_of(recent_.begin(), recent_.end(), [this](uint32_t id) {
    return peers_[id].isRecent && peers_[id].isReady;
  });
}

void RingSet::collect() {
  size_t count = 0;
  do {
    if (found_ == 0) wait(0);
    // Forgotten first: should one of them be a failure, they are not to be met again.
    count = std::exchange(found_, 0);
    for (size_t i = 0; i < count; i++) collectEvent(events_[i]);
  } while (count == events_.size());
  wakeStarved();
}

void RingSet::collectEvent(const epoll_event& event) {
  switch (event.data.u32) {
    case kPortsTag:
      return collectPorts();
    case kListenerTag:
      return collectNewcomers();
    case kLoopTag:
      return;
    default:
      return collectSocket(event.data.u32, event.events);
  }
}

void RingSet::collectPorts() {
  std::array<uint32_t, kPortsAtOnce> ports;
  for (;;) {
    const size_t count = machine_->readPending(ports);
    record(0).events += static_cast<uint32_t>(count);
    // Unmasked before the rings are looked at: what a guest does from here on makes a new event.
    machine_->unmask(std::span(ports).first(leaveMasked(std::span(ports).first(count))));
    for (size_t i = 0; i < count; i++) {
      const int32_t owner = ports[i] < ports_.size() ? ports_[ports[i]] : 0;
      if (owner < 0) {
        notices_.push_back(Notice{-1, kBatchVirq, -owner - 1, 0});
      } else if (owner > 0) {
        const auto id = static_cast<uint32_t>(owner);
        if (isReconnecting(id)) continue;
        const uint32_t waiting = record(id).queuedBytes - record(id).queueSent;
        if (!OutputQueue::isEmpty(record(id))) writeQueued(id);
        // One that has made room for what waits is not counted.
        const bool isAboutRoom = record(id).queuedBytes - record(id).queueSent != waiting;
        if (kind_ == RingKind::kConsole && !isAboutRoom) countEvent(id);
        activate(id);
      }
    }
    if (count < ports.size()) return;
  }
}

// Moves the ports of those who are not to be listened to behind the others. @returns how many the others are
size_t RingSet::leaveMasked(std::span<uint32_t> ports) {
  if (kind_ != RingKind::kConsole) return ports.size();
  const auto isHeard = [this](uint32_t port) {
    const int32_t owner = port < ports_.size() ? ports_[port] : 0;
    if (owner <= 0 || (record(static_cast<uint32_t>(owner)).paused & kPausedDeaf) == 0) return true;
    peers_[static_cast<size_t>(owner)].isMasked = true;
    return false;
  };
  return static_cast<size_t>(std::partition(ports.begin(), ports.end(), isHeard) - ports.begin());
}

// An event with which output comes is told by that output.
void RingSet::countEvent(uint32_t id) {
  if (++peers_[id].events < kEventsTold) return;
  peers_[id].events = 0;
  notice(id, kBatchEvents, kEventsTold);
}

void RingSet::listenAgain(uint32_t id) {
  if (!std::exchange(peers_[id].isMasked, false)) return;
  machine_->unmask(std::span(&record(id).localPort, 1));
  if (!OutputQueue::isEmpty(record(id))) writeQueued(id);
}

void RingSet::collectSocket(uint32_t id, uint32_t events) {
  Peer& peer = peers_[id];
  if ((events & ~EPOLLOUT) != 0) peer.isReadable = true;
  if ((events & ~(EPOLLIN | EPOLLOUT)) != 0) peer.isSpecial = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && !OutputQueue::isEmpty(record(id))) writeQueued(id);
  activate(id);
}

void RingSet::collectNewcomers() {
  constexpr int kAtOnce = 256;
  for (int i = 0; i < kAtOnce; i++) {
    if (!acceptOne()) return;
  }
}

bool RingSet::acceptOne() {
  const ConnectionRecord& head = memory_.records[0];
  const bool hasId = head.nextFree != 0 || peers_.size() < memory_.records.size();
  UniqueFd accepted;
  SocketResult result = hasId ? listener_->accept(accepted) : SocketResult::kNoResources;
  uint32_t id = 0;
  if (result == SocketResult::kDone) {
    id = takeId();
    epoll_event event{};
    event.events = kSocketEvents;
    event.data.u32 = id;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, accepted.get(), &event) != 0) {
      freeId(id);
      result = SocketResult::kNoResources;
    }
  }
  if (result == SocketResult::kNoResources) {
    // The backlog stays readable: without a rest the loop would spin.
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_->fd(), nullptr);
    isAcceptResting_ = true;
  }
  if (result != SocketResult::kDone) return false;
  record(id).kind = ConnectionKind::kSocket;
  record(id).fd = accepted.get();
  peers_[id].fd = std::move(accepted);
  notice(id, kBatchOpened, 0);
  return true;
}

void RingSet::retryAccept() {
  if (!isAcceptResting_) return;
  isAcceptResting_ = false;
  watchListener();
}

}  // namespace xcl
