// epoll with one object per descriptor. A watcher may be taken out in the middle of a turn, also by
// another one: what it was told to be ready for is then not delivered.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>

#include "../../src/unique_fd.h"

namespace xcl::sim {

class Watcher {
 public:
  virtual ~Watcher() = default;
  /** @param events EPOLLIN … */
  virtual void onReady(uint32_t events) = 0;
};

class EventLoop {
 public:
  EventLoop();

  void add(int fd, uint32_t events, Watcher& watcher);
  void change(int fd, uint32_t events, Watcher& watcher);
  void remove(int fd, const Watcher& watcher);

  /** Waits if it may, and calls every watcher that is ready. */
  void turn(bool mayWait);

 private:
  UniqueFd epoll_;
  std::array<epoll_event, 64> ready_{};
  int at_ = 0;
  int count_ = 0;
};

}  // namespace xcl::sim
