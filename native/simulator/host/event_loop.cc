#include "event_loop.h"

#include <cerrno>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

void control(int epoll, int operation, int fd, uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) throw HostFailure{"epoll_ctl", errno, "cannot watch a descriptor"};
}

}  // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_.isOpen()) throw HostFailure{"epoll_create1", errno, "cannot make an epoll descriptor"};
}

void EventLoop::add(int fd, uint32_t events, Watcher& watcher) {
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, watcher);
}

void EventLoop::change(int fd, uint32_t events, Watcher& watcher) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, watcher);
}

void EventLoop::remove(int fd, const Watcher& watcher) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = at_; i < count_; i++) {
    epoll_event& event = ready_[static_cast<size_t>(i)];
    if (event.data.ptr == &watcher) event.data.ptr = nullptr;
  }
}

void EventLoop::turn(bool mayWait) {
  count_ = epoll_wait(epoll_.get(), ready_.data(), ready_.size(), mayWait ? -1 : 0);
  for (at_ = 0; at_ < count_;) {
    const epoll_event event = ready_[static_cast<size_t>(at_++)];
    auto* watcher = static_cast<Watcher*>(event.data.ptr);
    if (watcher != nullptr) watcher->onReady(event.events);
  }
  at_ = count_ = 0;
}

}  // namespace xcl::sim
