// A listening unix socket of the machine: accepts at once whoever connects, and takes its file away when it
// goes.
#pragma once

#include <functional>
#include <string>

#include "event_loop.h"

namespace xcl::sim {

class Listener : public Watcher {
 public:
  /**
   * Listens at a path, with mode 0600; the file of a machine that is no more is replaced.
   * @param type SOCK_STREAM or SOCK_SEQPACKET
   * @throws HostFailure EADDRINUSE: somebody listens there already; EEXIST: the file is no socket
   */
  Listener(EventLoop& loop, std::string path, int type, std::function<void(UniqueFd)> accepted);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void onReady(uint32_t events) override;

 private:
  void accept(UniqueFd fd);

  EventLoop& loop_;
  std::string path_;
  std::function<void(UniqueFd)> accepted_;
  UniqueFd fd_;
  /** Given up for a moment when there are no more descriptors, so that a caller hears of it. */
  UniqueFd spare_;
};

}  // namespace xcl::sim
