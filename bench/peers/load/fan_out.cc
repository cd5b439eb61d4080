#include "fan_out.h"

#include "failure.h"

namespace xcl::peers {

namespace {

/** The floor knows the nodes by their beginning. */
constexpr std::string_view kNode = "/bench/fan/node";

}  // namespace

FanOut::FanOut(const Target& target, size_t watchers, const Deadline& limit)
    : target_(target), writer_(target.socketPath) {
  writer_.call(Op::kWrite, 0, pair(kNode, "0", false), limit);
  for (size_t i = 0; i < watchers; i++) {
    watchers_.push_back(std::make_unique<Connection>(target.socketPath));
    Connection& watcher = *watchers_.back();
    watcher.call(Op::kWatch, 0, pair(kNode, "token", true), limit);
    set_.add(watcher, watcher);
  }
  // Every watch begins with an event, which some send before their answer to WATCH.
  Message message;
  for (const auto& watcher : watchers_) {
    while (watcher->events() == 0) {
      if (!watcher->take(message)) watcher->await(limit);
    }
  }
}

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
    const int count = set_.await(limit.leftMs(), [&](Connection& watcher) {
      watcher.fill();
      for (Message message; watcher.take(message);) heard++;
    });
    if (count == 0 && limit.isOver()) throw TooSlow("not all watchers have their event");
  }
}

}  // namespace xcl::peers
