// Which domain's kernel runs next. A domain for which something is due stands in one queue and gets a few
// steps at a time; domains that asked for a time stand in a heap. Nothing here costs anything for a domain
// that is idle.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "domain.h"

namespace xcl::sim {

/** CLOCK_MONOTONIC. */
uint64_t monotonicNs();

class DomainTable;

class Scheduler {
 public:
  explicit Scheduler(const DomainTable& domains) : domains_(domains) {}

  /** Something is due for the domain; does nothing while it may not run (it is queued when it may). */
  void enqueue(Domain& domain);
  bool hasWork() const { return !queue_.empty(); }
  /** Runs kernels until nothing is due or `budgetNs` are over. */
  void run(uint64_t budgetNs);

  /** UINT64_MAX: the domain waits for no time. */
  void setTimer(Domain& domain, uint64_t ns);
  /** UINT64_MAX: nobody waits. */
  uint64_t nextTimerNs() const { return timers_.empty() ? UINT64_MAX : timers_.front()->wakeNs; }
  void expireTimers(uint64_t nowNs);

 private:
  void place(size_t at, Domain& domain);
  void siftUp(size_t at);
  void siftDown(size_t at);

  const DomainTable& domains_;
  /** By number: a domain may go while it stands here. */
  std::deque<uint32_t> queue_;
  /** A binary heap, the earliest first; each domain knows its place. */
  std::vector<Domain*> timers_;
};

}  // namespace xcl::sim
