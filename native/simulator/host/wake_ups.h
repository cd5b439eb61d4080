// What wakes the machine besides its handles: the time a kernel has asked for, and signals.
#pragma once

#include <functional>

#include "event_loop.h"

namespace xcl::sim {

class WakeUps {
 public:
  /** Blocks SIGTERM and SIGINT, which call `ended` from now on. */
  WakeUps(EventLoop& loop, std::function<void()> ended);

  /** Wakes the loop at that time and at no other; UINT64_MAX: at none. */
  void setTimer(uint64_t ns);

 private:
  class Waker : public Watcher {
   public:
    explicit Waker(std::function<void()> woken) : woken_(std::move(woken)) {}
    void onReady(uint32_t) override { woken_(); }

   private:
    std::function<void()> woken_;
  };

  UniqueFd timer_;
  UniqueFd signals_;
  uint64_t armedNs_ = UINT64_MAX;
  Waker onTimer_;
  Waker onSignal_;
};

}  // namespace xcl::sim
