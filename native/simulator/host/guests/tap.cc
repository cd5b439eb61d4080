#include "tap.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "../../../src/shared_ring.h"
#include "native_guest.h"

namespace xcl::sim {

namespace {

/** A daemon that is as fast as the peer does not hold up the machine. */
constexpr int kRoundsAtOnce = 8;
constexpr uint32_t kReconnectAsked = 1;
constexpr size_t kRingBytes = 1024;

}  // namespace

void Tap::listen(const std::string& path) {
  if (isClosed_) throw HostFailure{"command", ESRCH, "tap: the guest has ended"};
  listener_.reset();
  listener_ = std::make_unique<Listener>(loop_, path, SOCK_STREAM, [this](UniqueFd fd) { accept(std::move(fd)); });
}

void Tap::accept(UniqueFd fd) {
  // As small as the system has them: a peer that does not read is to stall the ring soon.
  const int least = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  peers_.push_back(std::make_unique<Peer>(*this, std::move(fd)));
  guest_.yield();
}

void Tap::pump() {
  if (isClosed_) return;
  std::byte* const ring = guest_.store().ring();
  for (int round = 0; round < kRoundsAtOnce; round++) {
    if (peers_.empty() || loadShared(ring, kXenstoreConnection) == kReconnectAsked) return;
    peers_.front()->serve();
    const bool hasTaken = takeRequests();
    const bool hasGiven = giveReplies();
    if (hasTaken || hasGiven) {
      guest_.machine().notify(guest_.store().port());
    } else if (peers_.front()->hasGone()) {
      peers_.pop_front();
    } else {
      return;
    }
  }
  guest_.yield();
}

bool Tap::takeRequests() {
  RingWriter writer(guest_.store().ring(), kXenstoreRequests);
  if (!writer.look() || writer.room() == 0) return false;
  std::array<std::byte, kRingBytes> bytes;
  const size_t count = peers_.front()->read(bytes.data(), std::min<size_t>(writer.room(), bytes.size()));
  if (count == 0) return false;
  writer.put(bytes.data(), static_cast<uint32_t>(count));
  writer.publish();
  return true;
}

bool Tap::giveReplies() {
  RingReader reader(guest_.store().ring(), kXenstoreReplies);
  if (!reader.look() || reader.available() == 0) return false;
  std::array<std::byte, kRingBytes> bytes;
  reader.peek(0, bytes.data(), reader.available());
  const size_t count = peers_.front()->write(bytes.data(), reader.available());
  if (count == 0) return false;
  reader.consume(static_cast<uint32_t>(count));
  return true;
}

void Tap::close() {
  isClosed_ = true;
  listener_.reset();
  peers_.clear();
}

Tap::Peer::~Peer() {
  if (isServed_) tap_.loop_.remove(fd_.get(), *this);
}

// Edges only: what is not looked at, because the ring is full or the guest is paused, wakes nobody again.
void Tap::Peer::serve() {
  if (isServed_) return;
  tap_.loop_.add(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
  isServed_ = true;
}

void Tap::Peer::onReady(uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) isHungUp_ = true;
  tap_.guest_.yield();
}

size_t Tap::Peer::read(std::byte* into, size_t most) {
  if (isReadEnded_) return 0;
  const ssize_t count = recv(fd_.get(), into, most, MSG_DONTWAIT);
  if (count > 0) return static_cast<size_t>(count);
  isReadEnded_ = count == 0 || (errno != EAGAIN && errno != EINTR);
  return 0;
}

size_t Tap::Peer::write(const std::byte* from, size_t count) {
  if (isHungUp_) return 0;
  const ssize_t sent = send(fd_.get(), from, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  isHungUp_ = errno != EAGAIN && errno != EINTR;
  return 0;
}

}  // namespace xcl::sim
