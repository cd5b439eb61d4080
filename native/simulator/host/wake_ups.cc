#include "wake_ups.h"

#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <csignal>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

UniqueFd openSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

}  // namespace

WakeUps::WakeUps(EventLoop& loop, std::function<void()> ended)
    : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      signals_(openSignals()),
      onTimer_([this] {
        // Kernels whose time has come are looked for in every turn; here it is only silenced.
        uint64_t ignored = 0;
        if (::read(timer_.get(), &ignored, sizeof(ignored)) > 0) armedNs_ = UINT64_MAX;
      }),
      onSignal_(std::move(ended)) {
  if (!timer_.isOpen() || !signals_.isOpen()) throw HostFailure{"timerfd_create", errno, "cannot make a timer"};
  loop.add(timer_.get(), EPOLLIN, onTimer_);
  loop.add(signals_.get(), EPOLLIN, onSignal_);
}

void WakeUps::setTimer(uint64_t ns) {
  if (ns == armedNs_) return;
  armedNs_ = ns;
  itimerspec when{};
  // All zero would take the timer back.
  if (ns != UINT64_MAX) {
    when.it_value.tv_sec = static_cast<time_t>(ns / kSecondNs);
    when.it_value.tv_nsec = static_cast<long>(ns % kSecondNs) + (ns == 0 ? 1 : 0);
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace xcl::sim
