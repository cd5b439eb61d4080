#include "scheduler.h"

#include <time.h>

#include "domain_table.h"

namespace xcl::sim {

namespace {

// So that no domain waits for another one's long row of events.
constexpr int kStepsAtOnce = 8;

}  // namespace

uint64_t monotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Scheduler::enqueue(Domain& domain) {
  if (domain.isQueued || !domain.isRunnable()) return;
  domain.isQueued = true;
  queue_.push_back(domain.domid());
}

void Scheduler::run(uint64_t budgetNs) {
  if (queue_.empty()) return;
  uint64_t now = monotonicNs();
  const uint64_t until = now + budgetNs;
  while (!queue_.empty() && now < until) {
    const uint32_t domid = queue_.front();
    queue_.pop_front();
    Domain* domain = domains_.find(domid);
    if (domain == nullptr) continue;
    domain->isQueued = false;
    bool mayHaveMore = true;
    for (int i = 0; i < kStepsAtOnce && mayHaveMore; i++) mayHaveMore = domain->step();
    const uint64_t after = monotonicNs();
    domain->spent(after - now);
    now = after;
    if (mayHaveMore) enqueue(*domain);
  }
}

void Scheduler::setTimer(Domain& domain, uint64_t ns) {
  const bool isWaiting = domain.timerIndex != Domain::kNoTimer;
  if (ns == UINT64_MAX) {
    if (!isWaiting) return;
    const size_t at = domain.timerIndex;
    domain.timerIndex = Domain::kNoTimer;
    domain.wakeNs = ns;
    Domain* last = timers_.back();
    timers_.pop_back();
    if (last == &domain) return;
    place(at, *last);
    siftUp(at);
    siftDown(last->timerIndex);
    return;
  }
  domain.wakeNs = ns;
  if (!isWaiting) {
    timers_.push_back(&domain);
    domain.timerIndex = static_cast<uint32_t>(timers_.size() - 1);
  }
  siftUp(domain.timerIndex);
  siftDown(domain.timerIndex);
}

void Scheduler::expireTimers(uint64_t nowNs) {
  while (nextTimerNs() <= nowNs) {
    Domain& due = *timers_.front();
    setTimer(due, UINT64_MAX);
    due.timerExpired();
  }
}

void Scheduler::place(size_t at, Domain& domain) {
  timers_[at] = &domain;
  domain.timerIndex = static_cast<uint32_t>(at);
}

void Scheduler::siftUp(size_t at) {
  Domain& moved = *timers_[at];
  while (at > 0 && moved.wakeNs < timers_[(at - 1) / 2]->wakeNs) {
    place(at, *timers_[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  place(at, moved);
}

void Scheduler::siftDown(size_t at) {
  Domain& moved = *timers_[at];
  for (;;) {
    size_t child = at * 2 + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && timers_[child + 1]->wakeNs < timers_[child]->wakeNs) child++;
    if (timers_[child]->wakeNs >= moved.wakeNs) break;
    place(at, *timers_[child]);
    at = child;
  }
  place(at, moved);
}

}  // namespace xcl::sim
