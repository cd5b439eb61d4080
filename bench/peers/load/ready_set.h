// Wraps an epoll set of connections whose owners are told when there is something to read.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"
#include "failure.h"

namespace xcl::peers {

template <typename Owner>
class ReadySet {
 public:
  ReadySet() : set_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (set_ < 0) throw Failed("no epoll set can be made");
  }
  ReadySet(const ReadySet&) = delete;
  ReadySet& operator=(const ReadySet&) = delete;
  ~ReadySet() { ::close(set_); }

  /** @param owner stays where it is as long as the set is asked */
  void add(const Connection& connection, Owner& owner) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &owner;
    if (::epoll_ctl(set_, EPOLL_CTL_ADD, connection.fd(), &event) != 0) throw Failed("a connection cannot be watched");
  }

  /** Waits so long at most and tells of each that is ready. @returns how many */
  template <typename Tell>
  int await(int timeoutMs, Tell tell) {
    epoll_event ready[kReadyAtOnce];
    const int count = ::epoll_wait(set_, ready, kReadyAtOnce, timeoutMs);
    for (int i = 0; i < count; i++) tell(*static_cast<Owner*>(ready[i].data.ptr));
    return count;
  }

 private:
  static constexpr int kReadyAtOnce = 256;
  int set_;
};

}  // namespace xcl::peers
