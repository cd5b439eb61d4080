#include "unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace xcl {

namespace {

constexpr int kBacklog = 1024;

sockaddr_un addressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw Failure("listen", ENAMETOOLONG, "cannot listen at " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

bool isServed(const sockaddr_un& address) {
  UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int status = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // EAGAIN: the backlog of whoever listens there is full.
  return status == 0 || errno == EAGAIN || errno == EINPROGRESS;
}

}  // namespace

UnixListener::UnixListener(const std::string& path) {
  const sockaddr_un address = addressOf(path);
  if (isServed(address)) throw Failure("listen", EADDRINUSE, "cannot listen at " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) throw Failure("unlink", errno, "cannot replace " + path);
  fd_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.isOpen()) throw Failure("socket", errno, "cannot listen at " + path);
  // The mask and not a later chmod: there is no moment in which others could connect.
  const mode_t mask = umask(0177);
  const int status = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(mask);
  if (status != 0) throw Failure("bind", error, "cannot listen at " + path);
  if (::listen(fd_.get(), kBacklog) != 0) throw Failure("listen", errno, "cannot listen at " + path);
}

SocketResult UnixListener::accept(UniqueFd& accepted) const {
  for (;;) {
    accepted.reset(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.isOpen()) return SocketResult::kDone;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    return errno == EAGAIN ? SocketResult::kWouldBlock : SocketResult::kNoResources;
  }
}

SocketResult readSocket(int fd, std::span<std::byte> into, size_t& got, bool& isAll) {
  got = 0;
  isAll = false;
  iovec part{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  for (;;) {
    const ssize_t count = recvmsg(fd, &message, 0);
    if (count > 0) {
      got = static_cast<size_t>(count);
      isAll = got < into.size() && (message.msg_flags & MSG_CTRUNC) == 0;
      return SocketResult::kDone;
    }
    if (count < 0 && errno == EINTR) continue;
    return count < 0 && errno == EAGAIN ? SocketResult::kWouldBlock : SocketResult::kEnded;
  }
}

SocketResult writeSocket(int fd, std::span<const iovec> parts, size_t& sent) {
  sent = 0;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  for (;;) {
    // Most replies leave alone, and then the kernel need not copy the list of parts.
    const ssize_t count = parts.size() == 1 ? send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                            : sendmsg(fd, &message, MSG_NOSIGNAL);
    if (count >= 0) {
      sent = static_cast<size_t>(count);
      return SocketResult::kDone;
    }
    if (errno == EINTR) continue;
    // ENOBUFS, ENOMEM: the kernel is short of memory now, not for ever.
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return SocketResult::kWouldBlock;
    return SocketResult::kEnded;
  }
}

}  // namespace xcl
