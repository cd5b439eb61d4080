// What the simulated machine and the programs on it share: hypercalls over a socket, and memory.
//
// A handle is one connection (SOCK_SEQPACKET) to the machine's socket; it is what /dev/xen/privcmd,
// evtchn and gntdev are on a Xen host, and everything it holds goes when it is closed. A hypercall is one
// Request, with its text behind it, and one Reply, with its payload behind it; the caller waits.
//
// Events need no call: a port is a bit in memory that both sides map, and an eventfd wakes who sleeps.
//
//   machine -> handle   the handle's inbound EventArea and eventfd, bit = the handle's local port
//   handle -> machine   the handle's outbound EventArea and eventfd, bit = the slot that kBind gave
//
// Both areas belong to one handle: whatever it writes there, it can only deafen or silence itself, and a
// slot that is not its own fires nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace xcl::sim {

inline constexpr uint32_t kProtocolVersion = 3;
inline constexpr size_t kPageBytes = 4096;
/** Ports of a handle, and slots of the machine. */
inline constexpr uint32_t kMaxPorts = 1U << 18;
/** Pages that all domains together may have touched (the file is sparse). */
inline constexpr uint64_t kMaxPages = 1U << 20;
inline constexpr size_t kMaxMessage = 64 * 1024;
/** Domains in one answer of kList and kChanged. */
inline constexpr uint32_t kListedAtOnce = 1024;

/**
 * Ports that fired. Who fires sets `pending`, and, if the port is not in `mask`, the word's bit in
 * `selector`; then, if `isSignalled` was 0, sets it and writes to the eventfd. Who is woken reads the
 * eventfd, clears `isSignalled`, and takes the selected words. Unmasking clears the bit in `mask` and
 * then looks at `pending` again. All of it is sequentially consistent, so that one of the two sides
 * always sees the other's step.
 *
 * All zero at the beginning; a mask bit is only ever changed by the side that reads the area. The machine
 * masks nothing: in an outbound area `mask` has no meaning.
 */
struct EventArea {
  static constexpr uint32_t kWords = kMaxPorts / 64;

  alignas(64) std::atomic<uint32_t> isSignalled;
  alignas(64) std::atomic<uint64_t> selector[kWords / 64];
  std::atomic<uint64_t> pending[kWords];
  std::atomic<uint64_t> mask[kWords];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

enum class Op : uint32_t {
  /** args[0]: kProtocolVersion. Every handle's first call. */
  kHello = 1,
  /**
   * The reply carries five descriptors (SCM_RIGHTS): the pages (kMaxPages of kPageBytes), the inbound
   * EventArea and its eventfd, the outbound EventArea and its eventfd.
   */
  kOpenMachine,

  /** Payload: HostFacts. */
  kHost,
  /** args[0]: first domid, args[1]: at most so many (<= kListedAtOnce). Payload: DomainFacts each. */
  kList,
  /** ENOSYS when this Xen does not say. Payload: DomainFacts each, isGone where it is; empty: no more. */
  kChanged,
  kPause,
  kUnpause,
  kDestroy,
  /** args[0]: index. results[0]: next index. Payload: bytes. */
  kReadConsole,

  /** CreateArgs as text. results[0]: domid. */
  kCreate,
  /** CreateArgs as text. results[0..1]: store port, console port. */
  kPrepare,
  /** CreateArgs, then kernel, ramdisk (may be empty) and cmdline, each with its NUL. results: gfns. */
  kBuild,

  // The others only on a handle after kOpenMachine.
  /** args[0]: gref. results[0]: page, an index into the pages. */
  kMapGrant,
  /** args[0]: gfn. results[0]: page. */
  kMapFrame,
  /** results[0]: page, results[1]: remote port. */
  kMapSelf,
  /** args[0]: page. */
  kUnmap,
  /** args[0]: remote port. results[0]: local port, results[1]: slot. The local port is pending at once. */
  kBind,
  /** args[0]: VIRQ. results[0]: local port. */
  kBindVirq,
  /** args[0]: local port. */
  kUnbind,

  // What dom0's kernel does for the toolstack besides its back ends.
  /** Text: interface, bridge, each with its NUL. ENODEV: no such interface, or no such bridge. */
  kJoinBridge,
  /**
   * args[0]: 1 = read only. Text: path.
   * results[0]: device number, major << 20 | minor: minors of loop devices do not end at 255.
   */
  kOpenDisk,
  /** args[0]: device number. Text: path. A device that does not serve that file (any more) stays as it is. */
  kCloseDisk,

  // A program that takes the place of another one in the same process, and has inherited its handle.
  /** As kOpenMachine; ports stay bound, mappings are gone as the address space is that they were in. */
  kReopenMachine,
  /** args[0]: local port that the handle has. results[0]: its slot. */
  kAdoptPort,

  /** args[0]: local port, args[1]: remote port. results[0]: 1 = they are the ends of one channel. */
  kIsBound,
};

struct Request {
  Op op{};
  uint32_t domid = 0;
  uint64_t args[4]{};
  uint32_t textBytes = 0;
  uint32_t padding = 0;
};

struct Reply {
  /** 0, or an errno; then the payload is the name of the call that failed and what was tried, each with its NUL. */
  int32_t error = 0;
  uint32_t payloadBytes = 0;
  uint64_t results[4]{};
};

/** `DomainSpec` of native/src/domain_builder.h. */
struct CreateArgs {
  uint8_t uuid[16]{};
  uint32_t isPvh = 0;
  uint32_t vcpus = 0;
  uint64_t memoryKiB = 0;
  uint64_t maxMemoryKiB = 0;
  uint32_t maxEvtchnPort = 0;
  int32_t maxGrantFrames = 0;
  int32_t maxMaptrackFrames = 0;
  uint32_t storePort = 0;
  uint32_t consolePort = 0;
  uint32_t padding = 0;
};

struct DomainFacts {
  uint8_t uuid[16]{};
  uint32_t domid = 0;
  uint8_t isDying = 0;
  uint8_t isShutdown = 0;
  uint8_t shutdownCode = 0;
  uint8_t isPaused = 0;
  uint8_t isBlocked = 0;
  uint8_t isRunning = 0;
  uint8_t isHvm = 0;
  /** Only from kChanged. */
  uint8_t isGone = 0;
  uint32_t vcpus = 0;
  uint64_t memoryKiB = 0;
  uint64_t maxMemoryKiB = 0;
  uint64_t cpuTimeNs = 0;
};

struct HostFacts {
  char version[32]{};
  char caps[64]{};
  uint64_t totalMemoryKiB = 0;
  uint64_t freeMemoryKiB = 0;
  uint32_t cpus = 0;
  uint32_t padding = 0;
};

}  // namespace xcl::sim
