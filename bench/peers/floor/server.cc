#include "server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "answers.h"

namespace xcl::peers {

namespace {

constexpr int kBacklog = 4096;
constexpr int kReadyAtOnce = 256;
constexpr size_t kReadBytes = 64 * 1024;

void require(bool isDone, const std::string& what) {
  if (!isDone) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Server::Server(const std::string& socketPath)
    : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      set_(::epoll_create1(EPOLL_CLOEXEC)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socketPath.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(socketPath.c_str());
  require(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, socketPath);
  require(::listen(listener_, kBacklog) == 0, socketPath);
  epoll_event event{};
  event.events = EPOLLIN;
  require(::epoll_ctl(set_, EPOLL_CTL_ADD, listener_, &event) == 0, "epoll");
}

void Server::run() {
  for (;;) {
    epoll_event ready[kReadyAtOnce];
    const int count = ::epoll_wait(set_, ready, kReadyAtOnce, -1);
    for (int i = 0; i < count; i++) {
      auto* const client = static_cast<Client*>(ready[i].data.ptr);
      if (client == nullptr) {
        accept();
      } else if (!serve(*client)) {
        ::close(client->fd);
        delete client;
      }
    }
  }
}

void Server::accept() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  // Deleted when the peer has gone; epoll keeps the only pointer.
  event.data.ptr = new Client{fd, {}};
  require(::epoll_ctl(set_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
}

bool Server::serve(Client& client) {
  static char in[kReadBytes];
  const size_t kept = client.kept.size();
  std::memcpy(in, client.kept.data(), kept);
  const ssize_t read = ::recv(client.fd, in + kept, sizeof in - kept, 0);
  if (read <= 0) return read < 0 && errno == EAGAIN;
  const std::string_view bytes(in, kept + static_cast<size_t>(read));
  out_.clear();
  const size_t answered = answerAll(bytes);
  client.kept.assign(bytes.substr(answered));
  for (size_t sent = 0; sent < out_.size();) {
    const ssize_t wrote = ::send(client.fd, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return false;
    if (wrote > 0) sent += static_cast<size_t>(wrote);
  }
  return true;
}

size_t Server::answerAll(std::string_view bytes) {
  size_t at = 0;
  for (;;) {
    Question question{};
    if (bytes.size() - at < sizeof question.head) return at;
    std::memcpy(&question.head, bytes.data() + at, sizeof question.head);
    if (bytes.size() - at - sizeof question.head < question.head.bytes) return at;
    question.payload = bytes.substr(at + sizeof question.head, question.head.bytes);
    at += sizeof question.head + question.head.bytes;
    appendAnswer(out_, question);
  }
}

}  // namespace xcl::peers
