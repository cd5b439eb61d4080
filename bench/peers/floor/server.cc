#include "server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace xcl::peers {

namespace {

constexpr int kBacklog = 4096;
constexpr int kReadyAtOnce = 256;
constexpr size_t kReadBytes = 64 * 1024;
/** The one node whose watchers are told: the load's fan. */
constexpr std::string_view kFan("/bench/fan/node", 16);
constexpr std::string_view kFanEvent("/bench/fan/node\0token", 22);

void require(bool isDone, const std::string& what) {
  if (!isDone) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Server::Server(const std::string& socketPath, const std::string& simulatorSocket)
    : rings_(simulatorSocket),
      listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
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
  event.data.ptr = &rings_;
  require(::epoll_ctl(set_, EPOLL_CTL_ADD, rings_.fd(), &event) == 0, "epoll");
}

void Server::run() {
  for (;;) {
    epoll_event ready[kReadyAtOnce];
    const int count = ::epoll_wait(set_, ready, kReadyAtOnce, -1);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.ptr == &rings_) {
        rings_.serve();
        continue;
      }
      auto* const client = static_cast<Client*>(ready[i].data.ptr);
      if (client == nullptr) {
        accept();
      } else if (!serve(*client)) {
        if (client->isWatcher) std::erase(watchers_, client);
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
  event.data.ptr = new Client{fd, false, {}};
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
  const size_t answered = answerAll(client, bytes);
  client.kept.assign(bytes.substr(answered));
  send(client, out_);
  return true;
}

void Server::send(Client& client, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    // A peer that has gone is found out about when it is next read from.
    if (wrote < 0 && errno != EAGAIN) return;
    if (wrote > 0) bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

size_t Server::answerAll(Client& client, std::string_view bytes) {
  size_t at = 0;
  Question question{};
  while (const size_t taken = takeQuestion(bytes.substr(at), question)) {
    at += taken;
    appendAnswer(out_, question);
    act(client, question);
  }
  return at;
}

void Server::act(Client& client, const Question& question) {
  switch (static_cast<Op>(question.head.type)) {
    case Op::kWatch:
      append(out_, Op::kWatchEvent, 0, question.payload);
      if (question.payload.starts_with(kFan)) addWatcher(client);
      return;
    case Op::kWrite:
      if (question.payload.starts_with(kFan)) tellWatchers();
      return;
    case Op::kIntroduce:
      return rings_.introduce(question.payload);
    case Op::kRelease:
      return rings_.release(question.payload);
    default:
      return;
  }
}

void Server::addWatcher(Client& client) {
  client.isWatcher = true;
  watchers_.push_back(&client);
}

void Server::tellWatchers() {
  std::string event;
  append(event, Op::kWatchEvent, 0, kFanEvent);
  for (Client* const watcher : watchers_) send(*watcher, event);
}

}  // namespace xcl::peers
