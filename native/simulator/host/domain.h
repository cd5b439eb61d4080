// One domain: its life, and what its kernel can ask of the machine (GuestMachine).
//
//   created (paused) -> built -> running <-> paused -> shut down -> dead -> gone
//
// `kill` may come at any point before; it makes the domain dead: nothing of it runs, its channels are closed,
// its maps are dropped. It is gone, and its domid and memory are free, when nobody has a page of it mapped.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "domain_memory.h"
#include "grant_table.h"
#include "guest_machine.h"
#include "../protocol.h"

namespace xcl::sim {

class Domain;
class Machine;

inline constexpr uint32_t kDom0 = 0;
inline constexpr uint32_t kDomidFirstReserved = 0x7ff0;
inline constexpr uint32_t kVirqDomExc = 3;
inline constexpr uint32_t kVirqConRing = 8;

/** A page of a domain that somebody else has mapped; given back with Domain::unmap. */
struct Mapping {
  Domain* of = nullptr;
  uint32_t page = 0;
  /** -1: mapped as a foreign frame. */
  int64_t gref = -1;
};

/** Name of a reason as the news say it. */
const char* nameOf(Shutdown reason);

class Domain : public GuestMachine {
 public:
  Domain(Machine& machine, uint32_t domid, const CreateArgs& args);
  ~Domain() override;
  Domain(const Domain&) = delete;
  Domain& operator=(const Domain&) = delete;

  // What the toolstack asks for.
  DomainMemory& memory() { return memory_; }
  GrantTable& grants() { return grants_; }
  const CreateArgs& args() const { return args_; }
  DomainFacts facts() const;
  void limitMemory(uint64_t maxKiB) { maxMemoryKiB_ = maxKiB; }
  uint64_t maxMemoryKiB() const { return maxMemoryKiB_; }
  /** Puts a kernel into it, which boots once the domain is not paused any more. */
  void load(StartInfo start);
  void pause();
  void unpause();
  void kill();
  bool isDead() const { return isDead_; }
  bool isShutdown() const { return isShutdown_; }
  /** Its kernel was started and has not ended. */
  bool isUp() const { return isBooted_ && !isShutdown_ && !isDead_; }

  // What others have of its memory. All throw HostFailure as Xen fails them.
  Mapping mapGranted(uint32_t gref, uint32_t byDomid, bool isForWriting);
  Mapping mapForeign(uint64_t gfn);
  void unmap(const Mapping& mapping);

  // For the scheduler.
  /** A port of its kernel fired. */
  void fired(uint32_t port);
  /** The other end of a port of its kernel was bound. */
  void bound(uint32_t port) {
    if (isUp()) guest_->onBound(port);
  }
  void timerExpired();
  bool isRunnable() const;
  /** Runs its kernel for one thing that is due. @returns false when nothing was */
  bool step();
  void spent(uint64_t ns) { cpuNs_ += ns; }
  /** Place in the timers' heap; kNoTimer when it is in none. */
  static constexpr uint32_t kNoTimer = UINT32_MAX;
  uint32_t timerIndex = kNoTimer;
  uint64_t wakeNs = UINT64_MAX;
  bool isQueued = false;

  // GuestMachine
  uint32_t domid() const override { return domid_; }
  const StartInfo& start() const override { return start_; }
  std::byte* page(uint64_t pfn) override;
  uint64_t allocatePage() override { return memory_.allocate(); }
  void freePage(uint64_t pfn) override { memory_.release(pfn); }
  uint32_t grant(uint32_t toDomid, uint64_t pfn, bool isReadOnly) override;
  void endGrant(uint32_t gref) override { grants_.end(gref); }
  std::byte* mapGrant(uint32_t domid, uint32_t gref) override;
  void unmapGrant(uint32_t domid, uint32_t gref) override;
  uint32_t allocateUnbound(uint32_t remoteDomid) override;
  uint32_t bindInterdomain(uint32_t remoteDomid, uint32_t remotePort) override;
  void closePort(uint32_t port) override;
  void notify(uint32_t port) override;
  void shutdown(Shutdown reason) override;
  uint64_t nowNs() const override;
  void wakeAt(uint64_t ns) override;

 private:
  struct Held {
    Mapping mapping;
    uint32_t count = 0;
  };

  /** Of a call about another domain; a fault of dom0 is about the domain that calls dom0. */
  void checkFault(const char* name, uint32_t remoteDomid, const std::string& tried);
  void runGuest(uint32_t port);
  void fail(const HostFailure& failure);
  uint32_t takePort();

  Machine& machine_;
  uint32_t domid_;
  CreateArgs args_;
  DomainMemory memory_;
  GrantTable grants_;
  StartInfo start_;
  std::unique_ptr<Guest> guest_;
  uint64_t maxMemoryKiB_ = 0;
  uint64_t cpuNs_ = 0;
  /** How often the toolstack has paused it; a domain is created paused. */
  uint32_t pauses_ = 1;
  bool isBooted_ = false;
  bool isShutdown_ = false;
  bool isDead_ = false;
  bool isTimerDue_ = false;
  Shutdown reason_ = Shutdown::kPoweroff;
  /** Pages of it that others have mapped. */
  uint32_t mappedByOthers_ = 0;
  /** Others' pages that its kernel has mapped, by domid << 32 | gref. */
  std::unordered_map<uint64_t, Held> held_;
  /** Ports that fired and their kernel was not called for yet: in order, and as bits. */
  std::vector<uint32_t> firedPorts_;
  size_t firedFrom_ = 0;
  std::vector<uint64_t> isFired_;
};

}  // namespace xcl::sim
