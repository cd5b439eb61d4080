#include "death.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "failure.h"

namespace xcl::peers {

namespace {

/** Deaths of one measurement, at most: the machine is not to become empty. */
constexpr size_t kAtMost = 20;
/** What a daemon says and does after it has told of a death is not the next death's. */
constexpr auto kPause = std::chrono::milliseconds(10);

}  // namespace

Death::Death(const Target& target, const std::string& control, const Deadline& limit)
    : target_(target), watcher_(target.socketPath), control_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  control.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(control_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw Failed("cannot reach the simulated machine");
  }
  watcher_.call(Op::kWatch, 0, pair("@releaseDomain", "token", true), limit);
}

Death::~Death() { ::close(control_); }

Measurement Death::measure(std::vector<NewDomain>& domains, const Bounds& bounds) {
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  Measurement found;
  while ((!end.isOver() || found.operations == 0) && found.operations < kAtMost) {
    if (domains.empty()) throw Failed("all domains are dead");
    std::this_thread::sleep_for(kPause);
    Message message;
    do {
      while (watcher_.take(message)) continue;
    } while (watcher_.fill());
    const uint64_t told = watcher_.events();
    Stopwatch watch(target_.pid);
    watch.begin();
    const uint64_t begunNs = nowNs();
    command("die domid=" + std::to_string(domains.back().domid) + " how=vanish\n");
    domains.pop_back();
    while (watcher_.events() == told) {
      if (!watcher_.take(message)) watcher_.await(limit);
    }
    found.latencies.add(nowNs() - begunNs);
    watch.end(found);
    found.operations++;
  }
  return found;
}

void Death::command(const std::string& line) {
  if (::send(control_, line.data(), line.size(), MSG_NOSIGNAL) < 0) throw Failed("the simulated machine has gone");
}

}  // namespace xcl::peers
