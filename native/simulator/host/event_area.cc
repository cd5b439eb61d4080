#include "event_area.h"

#include <cerrno>

#include "guest_machine.h"

namespace xcl::sim {

SharedEvents::SharedEvents(const char* name)
    : memory_(name, sizeof(EventArea)), eventFd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!eventFd_.isOpen()) throw HostFailure{"eventfd", errno, "cannot make an event descriptor"};
}

void SharedEvents::fire(uint32_t port) {
  const uint32_t word = port / 64;
  const uint64_t bit = 1ULL << (port % 64);
  area().pending[word].fetch_or(bit);
  if ((area().mask[word].load() & bit) != 0) return;
  area().selector[word / 64].fetch_or(1ULL << (word % 64));
  if (area().isSignalled.exchange(1) == 0) eventfd_write(eventFd_.get(), 1);
}

bool SharedEvents::forget(uint32_t port) {
  const uint64_t bit = 1ULL << (port % 64);
  const uint64_t before = area().pending[port / 64].fetch_and(~bit);
  area().mask[port / 64].fetch_and(~bit);
  return (before & bit) != 0;
}

}  // namespace xcl::sim
