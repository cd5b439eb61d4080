// The line between the machine and what runs on it: what a guest's kernel has of its machine, and what
// the machine asks of a guest. Dom0's kernel is a guest, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xcl::sim {

/** A call that failed as Xen fails it. */
struct HostFailure {
  std::string op;
  int error = 0;
  std::string tried;
};

/** xen/include/public/sched.h */
enum class Shutdown : uint8_t { kPoweroff = 0, kReboot = 1, kSuspend = 2, kCrash = 3, kWatchdog = 4 };

/** What the builder left for the guest, as its start info says it. */
struct StartInfo {
  bool isPvh = false;
  std::string cmdline;
  uint64_t storePfn = 0;
  uint64_t consolePfn = 0;
  uint32_t storePort = 0;
  uint32_t consolePort = 0;
};

/** Hypercalls of one domain. What fails throws HostFailure. Lives until the domain is destroyed. */
class GuestMachine {
 public:
  virtual ~GuestMachine() = default;

  virtual uint32_t domid() const = 0;
  virtual const StartInfo& start() const = 0;

  /** A page of its own memory, made (zeroed) when first touched. ENOMEM beyond its memory. */
  virtual std::byte* page(uint64_t pfn) = 0;
  /** @returns a pfn that nobody uses, for a ring */
  virtual uint64_t allocatePage() = 0;
  virtual void freePage(uint64_t pfn) = 0;

  /** @returns a grant reference, 8 and up. ENOSPC: the grant table is full. */
  virtual uint32_t grant(uint32_t toDomid, uint64_t pfn, bool isReadOnly) = 0;
  /** EBUSY while the other side has it mapped. */
  virtual void endGrant(uint32_t gref) = 0;
  /** Another domain's page. EINVAL: no such grant, or not for this domain. */
  virtual std::byte* mapGrant(uint32_t domid, uint32_t gref) = 0;
  virtual void unmapGrant(uint32_t domid, uint32_t gref) = 0;

  virtual uint32_t allocateUnbound(uint32_t remoteDomid) = 0;
  virtual uint32_t bindInterdomain(uint32_t remoteDomid, uint32_t remotePort) = 0;
  virtual void closePort(uint32_t port) = 0;
  /** Nothing happens when the other side is closed. */
  virtual void notify(uint32_t port) = 0;

  /** The guest is not called any more after this returns to the machine. */
  virtual void shutdown(Shutdown reason) = 0;

  /** CLOCK_MONOTONIC, so that it compares with other processes' clocks. */
  virtual uint64_t nowNs() const = 0;
  /**
   * Calls `Guest::onTimer` once, at or soon after that time; a later call replaces an earlier one, and
   * UINT64_MAX takes it back.
   */
  virtual void wakeAt(uint64_t ns) = 0;
};

/**
 * What runs in a domain. Called by the machine's one thread, only while the domain is neither paused nor
 * shut down; an event that comes meanwhile is delivered afterwards. A HostFailure that leaves a call
 * crashes the domain.
 */
class Guest {
 public:
  virtual ~Guest() = default;
  /** The first time its vcpu runs. */
  virtual void boot() = 0;
  /** One of its ports fired (since the last call; several firings are one). */
  virtual void onEvent(uint32_t port) = 0;
  virtual void onTimer() = 0;
  /**
   * The other end of one of its ports was bound, by somebody who has not come back from that call: nobody else
   * uses what the port announces. Nothing that can fail may be done here.
   */
  virtual void onBound(uint32_t) {}
  /** Its domain was shut down or destroyed from outside (`die`, Op::kDestroy): it is not called any more. */
  virtual void onShutdown() {}
};

/** What a guest makes known, for `control` (native/simulator/control.ts) and for nobody on the machine. */
class GuestNews {
 public:
  virtual ~GuestNews() = default;
  /** A line `NAME WORD…`, sent to every control connection that listens. */
  virtual void say(const std::string& line) = 0;
  /** False while nobody listens: the line need not be made. */
  virtual bool isHeard() const = 0;
};

/** Faults that are asked for by name; host/faults.h has them. */
class FaultPoints {
 public:
  virtual ~FaultPoints() = default;
  /** @returns the errno with which this call of the domain is to fail now; 0: it is not to fail */
  virtual int at(std::string_view name, uint32_t domid) = 0;
};

/**
 * Devices of dom0's kernel that the toolstack plugs together (Op::kJoinBridge …). The machine has looked
 * at the faults `join_bridge` and `open_disk` before it calls.
 */
class Dom0Devices {
 public:
  virtual ~Dom0Devices() = default;
  virtual void joinBridge(const std::string& interface, const std::string& bridge) = 0;
  /** @returns major << 20 | minor */
  virtual uint32_t openDisk(const std::string& path, bool isReadOnly) = 0;
  /** Does nothing when the device is none, or serves another file by now. */
  virtual void closeDisk(uint32_t device, const std::string& path) = 0;
};

/**
 * Everything that runs in domains. Made once by the machine; the machine owns the guests that it makes
 * and destroys them before their GuestMachine.
 */
class GuestWorld {
 public:
  virtual ~GuestWorld() = default;
  /** What runs in dom0: xenbus and the back ends. */
  virtual std::unique_ptr<Guest> makeDom0(GuestMachine& machine) = 0;
  virtual std::unique_ptr<Guest> makeGuest(GuestMachine& machine) = 0;
  virtual Dom0Devices& dom0Devices() = 0;
  /**
   * A command of the control connection: its words, the first its name.
   * `stats` is always asked for: lines `name number` that the machine appends to its own (domains, guests,
   * crashed, cpuMs, freeMemoryKiB).
   * @returns the lines of the answer; throws HostFailure with `tried` the sentence to say
   */
  virtual std::vector<std::string> command(const std::vector<std::string>& words) = 0;
  /** What `help` is to say of `command`'s commands, a line each (`work rate=R`); without `stats`. */
  virtual std::vector<std::string> commandNames() const = 0;
};

class EventLoop;

/** @param loop for descriptors that guests bring in from outside of the machine */
std::unique_ptr<GuestWorld> makeGuestWorld(GuestNews& news, FaultPoints& faults, EventLoop& loop);

}  // namespace xcl::sim
