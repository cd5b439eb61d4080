// Event channels as Xen keeps them (xen/include/public/event_channel.h): a table of ports for each domain,
// and the global VIRQs. Dom0's ports belong to a handle, or, as every other domain's, to its kernel.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "lowest_free.h"

namespace xcl::sim {

/** Who has a port: 0 is the domain's kernel, others are numbers of handles. */
using PortOwner = uint32_t;
inline constexpr PortOwner kKernel = 0;

/** Where a port that fires is to be known. */
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void fired(uint32_t domid, uint32_t port, PortOwner owner) = 0;
  /** The other end of a port was bound, just now. */
  virtual void bound(uint32_t domid, uint32_t port, PortOwner owner) = 0;
};

/** All calls throw HostFailure as Xen fails them. */
class EventChannels {
 public:
  static constexpr uint32_t kVirqs = 24;

  explicit EventChannels(EventSink& sink);

  /** @param maxPort the highest port that the domain may have */
  void addDomain(uint32_t domid, uint32_t maxPort);
  /** Closes all ports; nothing can be bound any more. */
  void removeDomain(uint32_t domid);

  uint32_t allocateUnbound(uint32_t domid, uint32_t remoteDomid, PortOwner owner);
  /** The local port is pending at once: what was notified before went nowhere. */
  uint32_t bindInterdomain(uint32_t domid, uint32_t remoteDomid, uint32_t remotePort, PortOwner owner);
  uint32_t bindVirq(uint32_t domid, uint32_t virq, PortOwner owner);
  /** The other end of a channel can be bound again by this domain. EINVAL: no such port */
  void close(uint32_t domid, uint32_t port);

  /** Fires the other end; nothing happens when there is none. */
  void notify(uint32_t domid, uint32_t port);
  void raiseVirq(uint32_t virq);
  bool isVirqBound(uint32_t virq) const { return virqs_[virq].port != 0; }

  bool isOpen(uint32_t domid, uint32_t port) const { return find(domid, port) != nullptr; }
  /** Whether the two ports are the ends of one channel. */
  bool isBound(uint32_t domid, uint32_t port, uint32_t remoteDomid, uint32_t remotePort) const;
  /** False also when there is no such port. */
  bool isOwnedBy(uint32_t domid, uint32_t port, PortOwner owner) const;

 private:
  enum class State : uint8_t { kFree, kUnbound, kInterdomain, kVirq };
  struct Port {
    State state = State::kFree;
    uint16_t remoteDomid = 0;
    /** The VIRQ's number where the port is one. */
    uint32_t remotePort = 0;
    PortOwner owner = kKernel;
  };
  struct Table {
    explicit Table(uint32_t maxPort) : numbers(1, maxPort + 1) {}
    LowestFree numbers;
    std::vector<Port> ports;
  };
  struct Virq {
    uint32_t domid = 0;
    /** 0: not bound. */
    uint32_t port = 0;
  };

  Port* find(uint32_t domid, uint32_t port) const;
  uint32_t take(const char* op, uint32_t domid, const Port& facts);

  EventSink& sink_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::array<Virq, kVirqs> virqs_{};
};

}  // namespace xcl::sim
