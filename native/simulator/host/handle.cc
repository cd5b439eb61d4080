#include "handle.h"

#include <sys/socket.h>

#include "machine.h"

namespace xcl::sim {

Handle::Handle(Machine& machine, PortOwner number, UniqueFd fd)
    : machine_(machine), number_(number), fd_(std::move(fd)) {
  machine_.loop().add(fd_.get(), EPOLLIN | EPOLLRDHUP, *this);
}

Handle::~Handle() { release(); }

void Handle::release() {
  if (!fd_.isOpen()) return;
  machine_.loop().remove(fd_.get(), *this);
  fd_.reset();
  for (const uint32_t port : ports_) machine_.closePort(port);
  ports_.clear();
  for (const auto& [page, mapping] : mappings_) mapping.of->unmap(mapping);
  mappings_.clear();
}

void Handle::onReady(uint32_t) {
  if (!machine_.hypercalls().serve(*this)) machine_.handles().close(*this);
}

SharedEvents& Handle::openEvents() {
  events_ = std::make_unique<SharedEvents>("xcl-handle-events");
  return *events_;
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
  machine_.closePort(port);
  events_->forget(port);
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

}  // namespace xcl::sim
