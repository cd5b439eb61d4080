#include "peer.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "failure.h"

namespace fuzz {

size_t Peer::push(size_t max) {
  const auto unsent = said.unsent();
  const size_t sent = write(unsent.first(std::min(max, unsent.size())));
  said.markSent(sent);
  return sent;
}

size_t Peer::pull(size_t max) {
  const Bytes bytes = read(max);
  if (id != 0 && isLawful && !isGivenUp) heard.received(bytes);
  return bytes.size();
}

void Peer::beginAnew() {
  said.forget();
  heard.forget();
  isGivenUp = isReported = mayBeGivenUp = isAsking = false;
  waits = drains = 0;
}

GuestPeer::GuestPeer(std::shared_ptr<xcl::LoopbackWorld> world, uint32_t domid, bool isConsole)
    : domid(domid),
      world_(std::move(world)),
      out_(isConsole ? xcl::kConsoleOutput : xcl::kXenstoreRequests),
      in_(isConsole ? xcl::kConsoleInput : xcl::kXenstoreReplies) {
  beBorn();
}

void GuestPeer::beBorn() {
  page_ = world_->addPage(domid, 1);
  std::ranges::fill(page_->bytes, std::byte{0});
  // The kernel of the domain that the daemon runs in has one port for good.
  if (domid != 0 || port_ == 0) addPort();
  isAlive = true;
  isLawful = true;
}

void GuestPeer::die() {
  world_->removeDomain(domid);
  port_ = 0;
  isAlive = false;
}

size_t GuestPeer::write(std::span<const std::byte> bytes) {
  if (!isLawful || isAsking || bytes.empty()) return 0;
  xcl::RingWriter writer(page(), out_);
  if (!writer.look()) return 0;
  const uint32_t put = writer.put(bytes.data(), static_cast<uint32_t>(bytes.size()));
  writer.publish();
  return put;
}

Bytes GuestPeer::read(size_t max) {
  xcl::RingReader reader(page(), in_);
  if (!reader.look()) return {};
  Bytes bytes(std::min<size_t>(max, reader.available()));
  if (bytes.empty()) return bytes;
  reader.peek(0, bytes.data(), static_cast<uint32_t>(bytes.size()));
  reader.consume(static_cast<uint32_t>(bytes.size()));
  return bytes;
}

void GuestPeer::kick() {
  if (!isAlive) return;
  try {
    world_->kick(domid, port_);
  } catch (const xcl::Failure&) {
    // The port went with the domain's last life.
  }
}

void GuestPeer::corrupt(uint32_t which, uint32_t value) {
  const std::array<uint32_t, 4> offsets{out_.cons, out_.prod, in_.cons, in_.prod};
  xcl::storeShared(page(), offsets[which % offsets.size()], value);
  isLawful = false;
}

bool GuestPeer::isCorrupt() const {
  return word(out_.prod) - word(out_.cons) > out_.size;
}

bool GuestPeer::isEmpty() const { return word(out_.prod) == word(out_.cons) && word(in_.prod) == word(in_.cons); }

void GuestPeer::restart(uint32_t value) {
  for (const uint32_t offset : {out_.cons, out_.prod, in_.cons, in_.prod}) xcl::storeShared(page(), offset, value);
}

bool GuestPeer::hasMoved() {
  const bool hasMoved = word(out_.cons) != seenCons_ || word(in_.prod) != seenProd_;
  seenCons_ = word(out_.cons);
  seenProd_ = word(in_.prod);
  return hasMoved;
}

uint32_t GuestPeer::takeNotifications() const { return world_->takeNotifications(domid, port_); }

SocketPeer::SocketPeer(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  isRefused_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0;
  // Small, so that a test fills it.
  const int room = 4608;
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

size_t SocketPeer::write(std::span<const std::byte> bytes) {
  if (hasEnded()) return 0;
  const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

Bytes SocketPeer::read(size_t max) {
  if (isClosed()) return {};
  Bytes bytes(std::min<size_t>(max, 65536));
  const ssize_t got = recv(fd_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

void SocketPeer::close() { fd_.reset(); }

void SocketPeer::endWriting() {
  if (!isClosed()) shutdown(fd_.get(), SHUT_WR);
  hasEnded_ = true;
}

}  // namespace fuzz
