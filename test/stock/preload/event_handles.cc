#include "event_handles.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "../../../native/src/failure.h"

namespace xcl::stock {

namespace {

constexpr size_t kAtOnce = 256;

template <typename Value>
void setAt(std::vector<Value*>& values, size_t at, Value* value) {
  if (at >= values.size()) values.resize(at + 1, nullptr);
  values[at] = value;
}

}  // namespace

EventHandle* EventHandles::open() {
  auto handle = std::make_unique<EventHandle>();
  if (first_ == nullptr) {
    first_ = handle.get();
    handle->fd = machine_.pendingFd();
  } else {
    handle->own = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!handle->own.isOpen()) throw Failure("evtchn_open", errno, "no descriptor is left");
    handle->fd = handle->own.get();
  }
  setAt(byFd_, static_cast<size_t>(handle->fd), handle.get());
  handles_.push_back(std::move(handle));
  return handles_.back().get();
}

void EventHandles::close(EventHandle* handle) {
  while (!handle->ports.empty()) unbind(*handle, handle->ports.back());
  byFd_[static_cast<size_t>(handle->fd)] = nullptr;
  std::erase(ready_, handle);
  if (handle == first_) first_ = nullptr;
  std::erase_if(handles_, [&](const auto& one) { return one.get() == handle; });
}

uint32_t EventHandles::bind(EventHandle& handle, uint32_t domid, uint32_t remotePort) {
  const uint32_t port = machine_.bind(domid, remotePort);
  own(handle, port);
  return port;
}

uint32_t EventHandles::bindVirq(EventHandle& handle, uint32_t virq) {
  const uint32_t port = machine_.bindVirq(virq);
  own(handle, port);
  return port;
}

void EventHandles::own(EventHandle& handle, uint32_t port) {
  handle.ports.push_back(port);
  setAt(owners_, port, &handle);
}

void EventHandles::unbind(EventHandle& handle, uint32_t port) {
  machine_.unbind(port);
  if (isBound(port)) owners_[port] = nullptr;
  std::erase(handle.ports, port);
  std::erase(handle.queue, port);
}

uint32_t EventHandles::take(EventHandle& handle) {
  if (handle.queue.empty()) gather();
  // The machine may have woken us for a port that was taken just before. The device would make its reader wait
  // then; but a daemon that was told that there is something would not expect to. A ring may always be looked at.
  if (handle.queue.empty()) return handle.ports.empty() ? 0 : handle.ports.back();
  const uint32_t port = handle.queue.front();
  handle.queue.pop_front();
  // Looked for now, so that the descriptor says whether there is another one.
  if (handle.queue.empty()) gather();
  return port;
}

void EventHandles::unmask(uint32_t port) { machine_.unmask(std::span(&port, 1)); }

void EventHandles::gather() {
  std::array<uint32_t, kAtOnce> ports{};
  const size_t count = machine_.readPending(ports);
  for (size_t i = 0; i < count; i++) {
    if (!isBound(ports[i])) continue;
    EventHandle& owner = *owners_[ports[i]];
    owner.queue.push_back(ports[i]);
    if (!owner.isReady) ready_.push_back(&owner);
    owner.isReady = true;
  }
  if (first_ != nullptr && !first_->queue.empty()) eventfd_write(machine_.pendingFd(), 1);
}

EventHandle* EventHandles::handleOf(int fd) const {
  return fd >= 0 && static_cast<size_t>(fd) < byFd_.size() ? byFd_[static_cast<size_t>(fd)] : nullptr;
}

// One of the handles' entries is lent to the machine's descriptor for the time.
int EventHandles::poll(pollfd* entries, nfds_t count, int timeoutMs, Poll* real) {
  pollfd* const lent =
      std::find_if(entries, entries + count, [&](const pollfd& entry) { return handleOf(entry.fd) != nullptr; });
  if (lent == entries + count) return real(entries, count, timeoutMs);
  arePlacesKnown_ = false;
  for (;;) {
    const bool isReady = mark(entries, count) > 0;
    const int fd = lent->fd;
    const short events = lent->events;
    lent->fd = machine_.pendingFd();
    lent->events = POLLIN;
    int result = real(entries, count, isReady ? 0 : timeoutMs);
    bool hasFired = result > 0 && lent->revents != 0;
    if (hasFired) result--;
    *lent = {fd, events, 0};
    if (result < 0) return result;
    pollfd* const first = first_ == nullptr ? nullptr : entryOf(*first_, entries, count);
    if (first != nullptr && first != lent && first->revents != 0) {
      first->revents = 0;
      hasFired = true;
      result--;
    }
    if (hasFired) gather();
    result += mark(entries, count);
    // Something fired for a handle that is not waited for now.
    if (result > 0 || !hasFired || timeoutMs >= 0) return result;
  }
}

int EventHandles::mark(pollfd* entries, nfds_t count) {
  std::erase_if(ready_, [](EventHandle* handle) {
    handle->isReady = !handle->queue.empty();
    return !handle->isReady;
  });
  int marked = 0;
  for (EventHandle* const handle : ready_) {
    pollfd* const entry = entryOf(*handle, entries, count);
    if (entry == nullptr || (entry->events & POLLIN) == 0) continue;
    entry->revents = POLLIN;
    marked++;
  }
  return marked;
}

pollfd* EventHandles::entryOf(EventHandle& handle, pollfd* entries, nfds_t count) {
  const auto isThere = [&] { return handle.place < count && entries[handle.place].fd == handle.fd; };
  if (!isThere() && !arePlacesKnown_) {
    arePlacesKnown_ = true;
    for (nfds_t i = 0; i < count; i++) {
      if (EventHandle* const other = handleOf(entries[i].fd)) other->place = i;
    }
  }
  return isThere() ? entries + handle.place : nullptr;
}

}  // namespace xcl::stock
