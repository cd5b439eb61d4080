#include "handle.h"

#include <sys/socket.h>

#include "machine.h"

namespace xcl::sim {

namespace {

// How many ports of one handle are served before the others have their turn.
constexpr uint32_t kPortsAtOnce = 4096;

}  // namespace

Handle::Handle(Machine& machine, PortOwner number, UniqueFd fd)
    : machine_(machine), number_(number), fd_(std::move(fd)), bell_(*this) {
  machine_.loop().add(fd_.get(), EPOLLIN | EPOLLRDHUP, *this);
}

Handle::~Handle() { release(); }

void Handle::release() {
  if (!fd_.isOpen()) return;
  machine_.loop().remove(fd_.get(), *this);
  if (events_) machine_.loop().remove(events_->out.eventFd(), bell_);
  fd_.reset();
  for (const uint32_t port : ports_) closePort(port);
  ports_.clear();
  dropAll();
}

void Handle::onReady(uint32_t) {
  if (!machine_.hypercalls().serve(*this)) machine_.handles().close(*this);
}

void Handle::Bell::onReady(uint32_t) { handle_.machine_.handles().wake(handle_); }

const Handle::Events& Handle::openEvents() {
  auto made = std::make_unique<Events>();
  // Edges only: the eventfd is never read, which who shares it could make the machine wait for.
  machine_.loop().add(made->out.eventFd(), EPOLLIN | EPOLLET, bell_);
  events_ = std::move(made);
  return *events_;
}

bool Handle::deliver() {
  return events_->out.collect(kPortsAtOnce, [this](uint32_t port) {
    if (machine_.channels().isOwnedBy(kDom0, port, number_)) machine_.channels().notify(kDom0, port);
  });
}

// What it was notified of before still gets there, as on Xen.
void Handle::closePort(uint32_t port) {
  if (events_->out.forget(port)) machine_.channels().notify(kDom0, port);
  machine_.channels().close(kDom0, port);
}

uint32_t Handle::bind(uint32_t domid, uint32_t remotePort) {
  const uint32_t port = machine_.channels().bindInterdomain(kDom0, domid, remotePort, number_);
  ports_.insert(port);
  return port;
}

uint32_t Handle::bindVirq(uint32_t virq) {
  const uint32_t port = machine_.channels().bindVirq(kDom0, virq, number_);
  ports_.insert(port);
  return port;
}

bool Handle::unbind(uint32_t port) {
  if (ports_.erase(port) == 0) return false;
  closePort(port);
  events_->in.forget(port);
  return true;
}

uint32_t Handle::hold(const Mapping& mapping) {
  mappings_.emplace(mapping.page, mapping);
  return mapping.page;
}

bool Handle::drop(uint64_t page) {
  const auto found = mappings_.find(page);
  if (found == mappings_.end()) return false;
  const Mapping mapping = found->second;
  mappings_.erase(found);
  mapping.of->unmap(mapping);
  return true;
}

void Handle::dropAll() {
  for (const auto& [page, mapping] : mappings_) mapping.of->unmap(mapping);
  mappings_.clear();
}

}  // namespace xcl::sim
