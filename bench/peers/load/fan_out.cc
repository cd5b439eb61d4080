#include "fan_out.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "failure.h"

namespace xcl::peers {

namespace {

constexpr int kReadyAtOnce = 256;
/** The floor knows the nodes by their beginning. */
constexpr std::string_view kNode = "/bench/fan/node";

}  // namespace

FanOut::FanOut(const Target& target, size_t watchers, const Deadline& limit)
    : target_(target), writer_(target.socketPath), set_(::epoll_create1(EPOLL_CLOEXEC)) {
  writer_.call(Op::kWrite, 0, pair(kNode, "0", false), limit);
  for (size_t i = 0; i < watchers; i++) {
    watchers_.push_back(std::make_unique<Connection>(target.socketPath));
    Connection& watcher = *watchers_.back();
    watcher.call(Op::kWatch, 0, pair(kNode, "token", true), limit);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &watcher;
    ::epoll_ctl(set_, EPOLL_CTL_ADD, watcher.fd(), &event);
  }
  // Every watch begins with an event, which some send before their answer to WATCH.
  Message message;
  for (const auto& watcher : watchers_) {
    while (watcher->events() == 0) {
      if (!watcher->take(message)) watcher->await(limit);
    }
  }
}

FanOut::~FanOut() { ::close(set_); }

Measurement FanOut::measure(const Bounds& bounds) {
  Measurement found;
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  Stopwatch watch(target_.pid);
  watch.begin();
  while (!end.isOver() || found.operations == 0) {
    const uint64_t sentNs = nowNs();
    writer_.put(Op::kWrite, 0, pair(kNode, "1", false));
    writer_.flush(limit);
    awaitEvents(limit);
    writer_.answer(limit);
    found.latencies.add(nowNs() - sentNs);
    found.operations++;
  }
  watch.end(found);
  return found;
}

void FanOut::awaitEvents(const Deadline& limit) {
  for (size_t heard = 0; heard < watchers_.size();) {
    epoll_event ready[kReadyAtOnce];
    const int count = ::epoll_wait(set_, ready, kReadyAtOnce, limit.leftMs());
    if (count == 0 && limit.isOver()) throw TooSlow("not all watchers have their event");
    for (int i = 0; i < count; i++) {
      Connection& watcher = *static_cast<Connection*>(ready[i].data.ptr);
      watcher.fill();
      for (Message message; watcher.take(message);) heard++;
    }
  }
}

}  // namespace xcl::peers
