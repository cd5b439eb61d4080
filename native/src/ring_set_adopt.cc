// From one program to the next in the same process: what has to be told of a connection, and how a
// successor takes it up (native/handover.ts).
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "failure.h"
#include "ring_set.h"

namespace xcl {

namespace {

constexpr uint32_t kWatchEvent = 15;
constexpr std::byte kAt{0x40};

void requireSocket(int fd) {
  struct stat facts {};
  const std::string tried = "cannot take descriptor " + std::to_string(fd) + " over";
  if (fstat(fd, &facts) != 0) throw Failure("fstat", errno, tried);
  if (!S_ISSOCK(facts.st_mode)) throw Failure("fstat", ENOTSOCK, tried);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    throw Failure("fcntl", errno, tried);
  }
}

}  // namespace

std::vector<std::byte> RingSet::inputOf(uint32_t id) {
  require(isTaken(id), id);
  std::vector<std::byte> bytes(record(id).input.bytes);
  pool_.peek(record(id).input, bytes.data(), static_cast<uint32_t>(bytes.size()));
  return bytes;
}

std::vector<std::byte> RingSet::unsentOf(uint32_t id) {
  require(isTaken(id), id);
  const ConnectionRecord& entry = record(id);
  std::vector<iovec> parts(2 * (entry.queuedReplies + entry.queuedEvents) + entry.queuedBytes / Block::kBytes + 1);
  const size_t count = queue_.describe(entry, parts);
  std::vector<std::byte> bytes;
  bytes.reserve(entry.queuedBytes);
  for (size_t i = 0; i < count; i++) {
    const auto* from = static_cast<const std::byte*>(parts[i].iov_base);
    bytes.insert(bytes.end(), from, from + parts[i].iov_len);
  }
  return bytes;
}

uint32_t RingSet::cutOf(uint32_t id) {
  require(isTaken(id), id);
  return queue_.restOfFirst(record(id));
}

void RingSet::putBack(uint32_t id, std::span<const std::byte> bytes) {
  if (!isTaken(id)) return;
  const std::vector<std::byte> behind = inputOf(id);
  InputChain& input = record(id).input;
  pool_.clear(input);
  if (!pool_.append(input, bytes.data(), static_cast<uint32_t>(bytes.size())) ||
      !pool_.append(input, behind.data(), static_cast<uint32_t>(behind.size()))) {
    overflow(id);
    return;
  }
  activate(id);
}

void RingSet::adoptListener(int fd) {
  requireSocket(fd);
  listener_.emplace(UniqueFd(fd));
  watchListener();
}

uint32_t RingSet::adoptSocket(int fd, bool isEnded) {
  requireSocket(fd);
  const uint32_t id = takeId();
  epoll_event event{};
  event.events = kSocketEvents;
  event.data.u32 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    freeId(id);
    throw Failure("epoll_ctl", error, "cannot watch descriptor " + std::to_string(fd));
  }
  record(id).kind = ConnectionKind::kSocket;
  record(id).fd = fd;
  record(id).state = isEnded ? kEnded : 0;
  peers_[id].fd.reset(fd);
  peers_[id].isReadable = true;
  activate(id);
  return id;
}

uint32_t RingSet::adoptRing(const AdoptedRing& ring) {
  uint32_t remotePort = ring.remotePort;
  std::unique_ptr<MappedPage> mapped;
  switch (ring.pageKind) {
    case PageKind::kGref:
      mapped = machine_->mapGrant(ring.domid, static_cast<uint32_t>(ring.page));
      break;
    case PageKind::kGfn:
      mapped = machine_->mapFrame(ring.domid, ring.page);
      break;
    case PageKind::kSelf:
      mapped = machine_->mapSelf(remotePort);
      break;
  }
  const bool hasPort = ring.localPort != 0 || remotePort != 0;
  const uint32_t localPort = hasPort ? machine_->adoptPort(ring.domid, ring.localPort, remotePort) : 0;
  const uint32_t id = takeId();
  ConnectionRecord& entry = record(id);
  entry.kind = ConnectionKind::kRing;
  entry.domid = static_cast<int32_t>(ring.domid);
  entry.remotePort = remotePort;
  entry.pageKind = static_cast<int32_t>(ring.pageKind);
  entry.pageLow = static_cast<uint32_t>(ring.page);
  entry.pageHigh = static_cast<uint32_t>(ring.page >> 32);
  entry.features = ring.features;
  entry.state = ring.isBroken ? kBroken | kReported : 0;
  peers_[id].setPage(std::move(mapped));
  if (localPort != 0) ownPort(id, localPort);
  // What the guest did meanwhile may have gone unnoticed, so it may wait for us.
  touch(id);
  if (!isReconnecting(id)) activate(id);
  return id;
}

void RingSet::restoreOutput(uint32_t id, std::span<const std::byte> bytes, uint32_t cut) {
  require(isTaken(id), id);
  ConnectionRecord& entry = record(id);
  const double now = monotonicMs();
  bool hasRoom = cut == 0 || queue_.append(entry, id, bytes.first(cut), 0, kOutputRest, now);
  for (size_t at = cut; at < bytes.size() && hasRoom;) {
    WireHeader header{};
    const auto rest = bytes.subspan(at);
    if (rest.size() >= kWireHeaderBytes) std::memcpy(&header, rest.data(), sizeof(header));
    if (rest.size() < kWireHeaderBytes || rest.size() - kWireHeaderBytes < header.len) {
      throw Failure("output", EINVAL, "what was not sent to connection " + std::to_string(id) + " is cut short");
    }
    const auto wire = rest.first(kWireHeaderBytes + header.len);
    uint32_t flags = 0;
    if (header.type == kWatchEvent) {
      const bool isSpecial = header.len > 0 && wire[kWireHeaderBytes] == kAt;
      flags = isSpecial ? kOutputEvent : kOutputEvent | kOutputCoalesce;
    }
    hasRoom = queue_.append(entry, id, wire, 0, flags, now);
    at += wire.size();
  }
  if (!hasRoom) {
    overflow(id);
    return;
  }
  if (OutputQueue::isEmpty(entry)) return;
  entry.state |= kWaited;
  if (entry.kind == ConnectionKind::kSocket) arm(id, true);
  writeQueued(id);
}

void RingSet::releaseVirqs() {
  for (const uint32_t port : virqPorts_) {
    ports_[port] = 0;
    machine_->unbind(port);
  }
  virqPorts_.clear();
}

}  // namespace xcl
