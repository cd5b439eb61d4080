#include "connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "failure.h"

namespace xcl::peers {

namespace {

constexpr size_t kReadBytes = 32 * 1024;

/** True when it is ready for these events, false when it was not in time. */
bool isReady(int fd, short events, const Deadline& limit) {
  pollfd waited{fd, events, 0};
  for (;;) {
    const int count = ::poll(&waited, 1, limit.leftMs());
    if (count > 0) return true;
    if (limit.isOver()) return false;
  }
}

}  // namespace

const char* nameOf(Op op) {
  switch (op) {
    case Op::kDirectory: return "DIRECTORY";
    case Op::kRead: return "READ";
    case Op::kWatch: return "WATCH";
    case Op::kUnwatch: return "UNWATCH";
    case Op::kTransactionStart: return "TRANSACTION_START";
    case Op::kTransactionEnd: return "TRANSACTION_END";
    case Op::kIntroduce: return "INTRODUCE";
    case Op::kRelease: return "RELEASE";
    case Op::kWrite: return "WRITE";
    case Op::kMkdir: return "MKDIR";
    case Op::kRemove: return "RM";
    case Op::kSetPerms: return "SET_PERMS";
    case Op::kWatchEvent: return "WATCH_EVENT";
    case Op::kError: return "ERROR";
    case Op::kDirectoryPart: return "DIRECTORY_PART";
  }
  return "request";
}

Connection::Connection(const std::string& socketPath) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socketPath.copy(address.sun_path, sizeof address.sun_path - 1);
  // So that a limit of time is looked at although the daemon says nothing.
  const timeval patience{0, 100'000};
  if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  const std::string why = std::strerror(errno);
  if (fd_ >= 0) ::close(fd_);
  throw Failed("cannot connect: " + why);
}

Connection::~Connection() { ::close(fd_); }

void Connection::put(Op op, uint32_t txId, std::string_view payload) {
  append(out_, op, txId, payload);
  asked_.push_back(op);
}

void Connection::flush(const Deadline& limit) {
  size_t sent = 0;
  while (sent < out_.size()) {
    const ssize_t bytes = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (bytes > 0) {
      sent += static_cast<size_t>(bytes);
    } else if (errno != EAGAIN && errno != EINTR) {
      throw Failed(std::string("cannot send: ") + std::strerror(errno));
    } else if (!isReady(fd_, POLLOUT | POLLIN, limit)) {
      throw TooSlow("the daemon does not read");
    } else {
      // A daemon may wait for its answers to be read before it reads on.
      fill();
    }
  }
  out_.clear();
}

bool Connection::take(Message& message) {
  Header head{};
  const size_t there = inEnd_ - inBegin_;
  if (there < sizeof head) return false;
  std::memcpy(&head, in_.get() + inBegin_, sizeof head);
  if (head.bytes > kMaxPayload) throw Failed("a message of " + std::to_string(head.bytes) + " bytes");
  if (there < sizeof head + head.bytes) return false;
  message = {static_cast<Op>(head.type), head.txId, std::string_view(in_.get() + inBegin_ + sizeof head, head.bytes)};
  inBegin_ += sizeof head + head.bytes;
  if (message.isEvent()) {
    events_++;
    return true;
  }
  if (asked_.empty()) throw Failed(std::string("an answer that nobody asked for: ") + nameOf(message.op));
  answered_ = asked_.front();
  asked_.pop_front();
  return true;
}

bool Connection::fill() { return receive(MSG_DONTWAIT); }

void Connection::await(const Deadline& limit) {
  // One system call where an answer comes in time: the socket's own limit wakes us now and then.
  while (!receive(0)) {
    if (limit.isOver()) throw TooSlow("no answer");
  }
}

bool Connection::receive(int flags) {
  if (in_ == nullptr) in_ = std::make_unique_for_overwrite<char[]>(kReadBytes);
  // What is left of the last read is moved to the front: less than a message, and rarely anything.
  if (inBegin_ > 0) std::memmove(in_.get(), in_.get() + inBegin_, inEnd_ - inBegin_);
  inEnd_ -= inBegin_;
  inBegin_ = 0;
  const ssize_t bytes = ::recv(fd_, in_.get() + inEnd_, kReadBytes - inEnd_, flags);
  if (bytes > 0) {
    inEnd_ += static_cast<size_t>(bytes);
    return true;
  }
  if (bytes == 0) throw Failed("the daemon has closed the connection");
  if (errno == EAGAIN || errno == EINTR) return false;
  throw Failed(std::string("cannot receive: ") + std::strerror(errno));
}

Message Connection::next(const Deadline& limit) {
  Message message;
  for (;;) {
    while (take(message)) {
      if (!message.isEvent()) return message;
    }
    await(limit);
  }
}

Message Connection::answer(const Deadline& limit) {
  const Message message = next(limit);
  check(message);
  return message;
}

void Connection::check(const Message& message) const {
  if (message.isError()) throw Failed(std::string(nameOf(answered_)) + " was answered " + std::string(message.text()));
  if (message.op != answered_) throw Failed(std::string(nameOf(answered_)) + " was answered with another operation");
}

Message Connection::call(Op op, uint32_t txId, std::string_view payload, const Deadline& limit) {
  put(op, txId, payload);
  flush(limit);
  return answer(limit);
}

Message Connection::ask(Op op, uint32_t txId, std::string_view payload, const Deadline& limit) {
  put(op, txId, payload);
  flush(limit);
  return next(limit);
}

void Connection::drain(const Deadline& limit) {
  while (underWay() > 0) answer(limit);
}

}  // namespace xcl::peers
