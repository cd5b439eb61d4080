// One node, many who watch it, each at a connection of its own.
#pragma once

#include <memory>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "measurement.h"
#include "ready_set.h"

namespace xcl::peers {

class FanOut {
 public:
  FanOut(const Target& target, size_t watchers, const Deadline& limit);

  /** An operation is a write; its time ends when the last watcher has its event. */
  Measurement measure(const Bounds& bounds);

 private:
  void awaitEvents(const Deadline& limit);

  Target target_;
  Connection writer_;
  std::vector<std::unique_ptr<Connection>> watchers_;
  ReadySet<Connection> set_;
};

}  // namespace xcl::peers
