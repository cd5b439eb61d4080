// A machine without Xen, inside one process: domains with pages and ports whose guest end a test holds.
// It keeps Xen's rules of event channels: a bound port gets one notification in advance, a pending port
// is masked until it is unmasked, what fires meanwhile fires once afterwards.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "machine.h"
#include "unique_fd.h"

namespace xcl {

struct alignas(4096) LoopbackPage {
  std::array<std::byte, 4096> bytes{};
};

class MachineLoopback;

/** State shared by the machines of one world and by the guest ends. */
class LoopbackWorld {
 public:
  /** The page of (domid, number), made when it is not there; `number` is gref and gfn alike. */
  std::shared_ptr<LoopbackPage> addPage(uint32_t domid, uint64_t number);
  /** A new port of the domain, not bound to anybody. */
  uint32_t addPort(uint32_t domid);
  /** The guest closes its end, whoever is bound to it, and has a new one of the same number. */
  void renewPort(uint32_t domid, uint32_t port) { channelOf(domid, port) = Channel{}; }
  /** The domain is gone: nothing of it can be mapped or bound any more; existing mappings stay. */
  void removeDomain(uint32_t domid);
  /** The guest's end of the channel fires. */
  void kick(uint32_t domid, uint32_t port);
  void fireVirq(uint32_t virq);
  /** How often the guest was notified since the last question. */
  uint32_t takeNotifications(uint32_t domid, uint32_t port);
  /** Live mappings and bound ports, all machines together. */
  size_t mappings() const { return *mappings_; }
  size_t bindings() const;

 private:
  friend class MachineLoopback;
  struct Channel {
    MachineLoopback* machine = nullptr;
    uint32_t localPort = 0;
    uint32_t notifications = 0;
  };
  using Key = std::pair<uint32_t, uint64_t>;

  std::shared_ptr<LoopbackPage> pageOf(uint32_t domid, uint64_t number, const char* op) const;
  Channel& channelOf(uint32_t domid, uint32_t port);

  std::map<Key, std::shared_ptr<LoopbackPage>> pages_;
  std::map<Key, Channel> channels_;
  std::map<uint32_t, std::pair<MachineLoopback*, uint32_t>> virqs_;
  std::shared_ptr<size_t> mappings_ = std::make_shared<size_t>(0);
  uint32_t nextPort_ = 1;
};

class MachineLoopback : public Machine {
 public:
  explicit MachineLoopback(std::shared_ptr<LoopbackWorld> world);
  ~MachineLoopback() override;

  std::unique_ptr<MappedPage> mapGrant(uint32_t domid, uint32_t gref) override;
  std::unique_ptr<MappedPage> mapFrame(uint32_t domid, uint64_t gfn) override;
  std::unique_ptr<MappedPage> mapSelf(uint32_t& remotePort) override;
  uint32_t bind(uint32_t domid, uint32_t remotePort) override;
  uint32_t adoptPort(uint32_t domid, uint32_t, uint32_t remotePort) override { return bind(domid, remotePort); }
  /** It goes with the process. */
  int inheritableFd() const override { return -1; }
  uint32_t bindVirq(uint32_t virq) override;
  void unbind(uint32_t localPort) override;
  bool isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) override;
  void notify(uint32_t localPort) override;
  int pendingFd() const override { return event_.get(); }
  size_t readPending(std::span<uint32_t> ports) override;
  void unmask(std::span<const uint32_t> ports) override;

  /** The other end of a local port fires. */
  void fire(uint32_t localPort);

 private:
  friend class LoopbackWorld;
  struct Port {
    uint32_t domid = 0;
    uint32_t remotePort = 0;
    uint32_t virq = 0;
    bool isBound = false;
    bool isVirq = false;
    bool isMasked = false;
    bool isPending = false;
  };

  uint32_t addPort(const Port& port);
  /** The other end; null where there is none any more. */
  LoopbackWorld::Channel* channelOf(uint32_t localPort);

  std::shared_ptr<LoopbackWorld> world_;
  UniqueFd event_;
  std::vector<Port> ports_{1};
  std::deque<uint32_t> queue_;
};

}  // namespace xcl
