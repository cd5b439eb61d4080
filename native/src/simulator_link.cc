#include "simulator_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "failure.h"

namespace xcl {

namespace {

constexpr char kMachine[] = "simulator";
constexpr size_t kMaxDescriptors = 8;

/** Puts the descriptors of a received message into safe hands, whatever becomes of the message. */
void takeDescriptors(msghdr& message, std::vector<UniqueFd>& descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
}

}  // namespace

SimulatorLink::SimulatorLink(const std::string& socketPath)
    : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)), payload_(sim::kMaxMessage) {
  const std::string tried = "cannot reach the simulated machine at " + socketPath;
  if (!fd_.isOpen()) throw Failure(kMachine, errno, tried);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socketPath.size() >= sizeof(address.sun_path)) throw Failure(kMachine, ENAMETOOLONG, tried);
  std::memcpy(address.sun_path, socketPath.data(), socketPath.size());
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw Failure(kMachine, errno, tried);
  }
  call(sim::Op::kHello, {}, {sim::kProtocolVersion});
}

SimulatorLink::SimulatorLink(UniqueFd inherited) : fd_(std::move(inherited)), payload_(sim::kMaxMessage) {
  if (fcntl(fd_.get(), F_SETFD, FD_CLOEXEC) != 0) {
    throw Failure(kMachine, errno, "cannot take the connection to the simulated machine over");
  }
}

SimulatorLink::Answer SimulatorLink::call(sim::Op op, std::optional<uint32_t> domid, const Args& args,
                                          std::string_view text) {
  sim::Request request;
  request.op = op;
  request.domid = domid.value_or(0);
  std::copy(args.begin(), args.end(), request.args);
  request.textBytes = static_cast<uint32_t>(text.size());
  if (sizeof(request) + text.size() > sim::kMaxMessage) {
    throw Failure(kMachine, E2BIG, "cannot ask the simulated machine in so many words", domid);
  }
  if (isGone_) failGone();
  send(request, text);
  Answer answer;
  sim::Reply reply;
  const size_t payloadBytes = receive(reply, answer.descriptors);
  if (reply.error != 0) fail(reply.error, payloadBytes, domid);
  std::copy(std::begin(reply.results), std::end(reply.results), answer.results.begin());
  answer.payload = std::span(payload_).first(payloadBytes);
  return answer;
}

void SimulatorLink::send(const sim::Request& request, std::string_view text) {
  iovec parts[] = {{const_cast<sim::Request*>(&request), sizeof(request)},
                   {const_cast<char*>(text.data()), text.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = text.empty() ? 1 : 2;
  // One request waits at a time, so there is always room for it.
  while (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    failGone();
  }
}

size_t SimulatorLink::receive(sim::Reply& reply, std::vector<UniqueFd>& descriptors) {
  iovec parts[] = {{&reply, sizeof(reply)}, {payload_.data(), payload_.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  ssize_t bytes = -1;
  for (;;) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    bytes = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    if (bytes > 0) {
      takeDescriptors(message, descriptors);
      break;
    }
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && errno == EAGAIN) {
      awaitReadable();
      continue;
    }
    failGone();
  }
  const auto received = static_cast<size_t>(bytes);
  if (received < sizeof(reply) || received - sizeof(reply) != reply.payloadBytes) {
    throw Failure(kMachine, EPROTO, "the simulated machine does not speak this version's language");
  }
  return received - sizeof(reply);
}

// The payload of a failure is the name of the call and what was tried, each with its NUL.
void SimulatorLink::fail(int error, size_t payloadBytes, std::optional<uint32_t> domid) const {
  const std::string_view text(reinterpret_cast<const char*>(payload_.data()), payloadBytes);
  const size_t nameEnd = std::min(text.find('\0'), text.size());
  const std::string_view rest = text.substr(std::min(nameEnd + 1, text.size()));
  const std::string op(text.substr(0, nameEnd));
  throw Failure(op, error, std::string(rest.substr(0, std::min(rest.find('\0'), rest.size()))), domid);
}

// The event loop makes every descriptor that it watches non-blocking.
void SimulatorLink::awaitReadable() const {
  pollfd waited{fd_.get(), POLLIN, 0};
  while (::poll(&waited, 1, -1) < 0 && errno == EINTR) {
  }
}

void SimulatorLink::failGone() {
  isGone_ = true;
  throw Failure(kMachine, EPIPE, "the simulated machine has gone");
}

}  // namespace xcl
