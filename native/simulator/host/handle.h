// One connection to the machine (protocol.h): what a process of dom0 has of it. Everything that it holds,
// ports and mappings, is undone when it closes or breaks the protocol.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "domain.h"
#include "event_area.h"
#include "event_channels.h"
#include "event_loop.h"

namespace xcl::sim {

class Handle : public Watcher {
 public:
  /** Both directions of its events. */
  struct Events {
    SharedEvents in{"xcl-events-in"};
    SharedEvents out{"xcl-events-out"};
  };

  Handle(Machine& machine, PortOwner number, UniqueFd fd);
  ~Handle() override;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  PortOwner number() const { return number_; }
  int fd() const { return fd_.get(); }
  void onReady(uint32_t events) override;

  /** Gives back everything it holds and hangs up; nothing may be asked of it afterwards. */
  void release();

  bool isGreeted = false;

  /** Makes its event areas. */
  const Events& openEvents();
  bool hasEvents() const { return events_ != nullptr; }
  /** Only when it has some. */
  const Events& events() const { return *events_; }
  /** Tells it that its port fired. */
  void fire(uint32_t port) { events_->in.fire(port); }
  /** Delivers what it has fired. @returns false when there was nothing; it says so when there is something again */
  bool deliver();
  /** The machine looks by itself for what it fires; for Handles. */
  bool isAwake = false;

  uint32_t bind(uint32_t domid, uint32_t remotePort);
  uint32_t bindVirq(uint32_t virq);
  /** @returns false: the port is not its own */
  bool unbind(uint32_t port);
  bool hasPort(uint32_t port) const { return ports_.contains(port); }

  /** @returns the page */
  uint32_t hold(const Mapping& mapping);
  /** @returns false: it does not have the page */
  bool drop(uint64_t page);
  void dropAll();

  size_t portsHeld() const { return ports_.size(); }
  size_t pagesHeld() const { return mappings_.size(); }

 private:
  /** The eventfd of what it fires. */
  class Bell : public Watcher {
   public:
    explicit Bell(Handle& handle) : handle_(handle) {}
    void onReady(uint32_t events) override;

   private:
    Handle& handle_;
  };

  void closePort(uint32_t port);

  Machine& machine_;
  PortOwner number_;
  UniqueFd fd_;
  std::unique_ptr<Events> events_;
  Bell bell_;
  std::unordered_set<uint32_t> ports_;
  /** By page; a page may be mapped more than once, by grant and by frame. */
  std::unordered_multimap<uint64_t, Mapping> mappings_;
};

}  // namespace xcl::sim
