#include "event_channels.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr uint32_t kDomids = 0x7ff0;
// What an x86 domain can have at most: event channels over a FIFO.
constexpr uint32_t kHighestPort = (1U << 17) - 1;
// The clock, the debugger and the console of a kernel: held by dom0's, whoever asks.
constexpr uint32_t kKernelVirqs = 3;

}  // namespace

EventChannels::EventChannels(EventSink& sink) : sink_(sink), tables_(kDomids) {}

void EventChannels::addDomain(uint32_t domid, uint32_t maxPort) {
  tables_[domid] = std::make_unique<Table>(std::min(maxPort, kHighestPort));
}

void EventChannels::removeDomain(uint32_t domid) {
  if (!tables_[domid]) return;
  for (uint32_t port = 1; port < tables_[domid]->ports.size(); port++) {
    if (tables_[domid]->ports[port].state != State::kFree) close(domid, port);
  }
  tables_[domid].reset();
}

EventChannels::Port* EventChannels::find(uint32_t domid, uint32_t port) const {
  if (domid >= tables_.size() || !tables_[domid] || port >= tables_[domid]->ports.size()) return nullptr;
  Port& found = tables_[domid]->ports[port];
  return found.state == State::kFree ? nullptr : &found;
}

bool EventChannels::isOwnedBy(uint32_t domid, uint32_t port, PortOwner owner) const {
  const Port* found = find(domid, port);
  return found != nullptr && found->owner == owner;
}

bool EventChannels::isBound(uint32_t domid, uint32_t port, uint32_t remoteDomid, uint32_t remotePort) const {
  const Port* found = find(domid, port);
  return found != nullptr && found->state == State::kInterdomain && found->remoteDomid == remoteDomid &&
         found->remotePort == remotePort;
}

uint32_t EventChannels::take(const char* op, uint32_t domid, const Port& facts) {
  if (!tables_[domid]) throw HostFailure{op, ESRCH, "cannot have an event channel"};
  Table& table = *tables_[domid];
  const uint32_t port = table.numbers.take();
  if (port == table.numbers.limit()) {
    throw HostFailure{op, ENOSPC, "cannot have more than " + std::to_string(port - 1) + " event channels"};
  }
  if (port >= table.ports.size()) table.ports.resize(port + 1);
  table.ports[port] = facts;
  return port;
}

uint32_t EventChannels::allocateUnbound(uint32_t domid, uint32_t remoteDomid, PortOwner owner) {
  Port made{State::kUnbound, static_cast<uint16_t>(remoteDomid), 0, owner};
  return take("evtchn_alloc_unbound", domid, made);
}

uint32_t EventChannels::bindInterdomain(uint32_t domid, uint32_t remoteDomid, uint32_t remotePort, PortOwner owner) {
  const char* op = "evtchn_bind_interdomain";
  const Port* remote = find(remoteDomid, remotePort);
  if (remote == nullptr || remote->state != State::kUnbound || remote->remoteDomid != domid) {
    throw HostFailure{op, EINVAL, "cannot bind event channel (remote port " + std::to_string(remotePort) + ")"};
  }
  const uint32_t port = take(op, domid, {State::kInterdomain, static_cast<uint16_t>(remoteDomid), remotePort, owner});
  // Found again: in a channel of a domain with itself the table may just have grown.
  Port& other = *find(remoteDomid, remotePort);
  other.state = State::kInterdomain;
  other.remotePort = port;
  sink_.bound(remoteDomid, remotePort, other.owner);
  sink_.fired(domid, port, owner);
  return port;
}

uint32_t EventChannels::bindVirq(uint32_t domid, uint32_t virq, PortOwner owner) {
  const char* op = "evtchn_bind_virq";
  const std::string tried = "cannot bind VIRQ " + std::to_string(virq);
  if (virq >= kVirqs) throw HostFailure{op, EINVAL, tried};
  if (virq < kKernelVirqs || isVirqBound(virq)) {
    throw HostFailure{op, EEXIST, tried + "; does another daemon hold it?"};
  }
  virqs_[virq] = {domid, take(op, domid, {State::kVirq, 0, virq, owner})};
  return virqs_[virq].port;
}

void EventChannels::close(uint32_t domid, uint32_t port) {
  Port* closed = find(domid, port);
  if (closed == nullptr) throw HostFailure{"evtchn_close", EINVAL, "no port " + std::to_string(port)};
  if (closed->state == State::kVirq) virqs_[closed->remotePort] = {};
  if (closed->state == State::kInterdomain) {
    Port* remote = find(closed->remoteDomid, closed->remotePort);
    if (remote != nullptr) {
      remote->state = State::kUnbound;
      remote->remoteDomid = static_cast<uint16_t>(domid);
      remote->remotePort = 0;
    }
  }
  *closed = Port{};
  tables_[domid]->numbers.giveBack(port);
}

void EventChannels::notify(uint32_t domid, uint32_t port) {
  const Port* local = find(domid, port);
  if (local == nullptr || local->state != State::kInterdomain) return;
  const Port* remote = find(local->remoteDomid, local->remotePort);
  if (remote != nullptr) sink_.fired(local->remoteDomid, local->remotePort, remote->owner);
}

void EventChannels::raiseVirq(uint32_t virq) {
  const Virq& bound = virqs_[virq];
  const Port* port = find(bound.domid, bound.port);
  if (port != nullptr) sink_.fired(bound.domid, bound.port, port->owner);
}

}  // namespace xcl::sim
