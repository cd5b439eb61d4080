#include "event_queue.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <span>

namespace xcl::stock {

uint32_t EventQueue::take() {
  if (from_ == count_) refill();
  // The machine may have woken us for a port that was taken just before. The device would make its reader wait
  // then; but a daemon that was told that there is something would not expect to. A ring may always be looked at.
  if (from_ == count_) return harmless_;
  const uint32_t port = ports_[from_++];
  // Looked for now, so that the descriptor says whether there is another one.
  if (from_ == count_) refill();
  return port;
}

void EventQueue::refill() {
  from_ = 0;
  count_ = machine_.readPending(ports_);
  if (count_ != 0) eventfd_write(machine_.pendingFd(), 1);
}

void EventQueue::unmask(uint32_t port) { machine_.unmask(std::span(&port, 1)); }

void EventQueue::unbound(uint32_t port) {
  const auto end = std::remove(ports_.begin() + from_, ports_.begin() + count_, port);
  count_ = static_cast<size_t>(end - ports_.begin());
  if (harmless_ == port) harmless_ = 0;
}

}  // namespace xcl::stock
