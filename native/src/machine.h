// What a set of connections needs of the machine: pages of rings and event channels. Real Xen and the
// in-process loopback stand behind it; nothing above knows which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace xcl {

/** Where a ring's page is; the words are kept in the connection's record. */
enum class PageKind : int32_t { kGref = 0, kGfn = 1, kSelf = 2 };

/** A mapped page of 4,096 bytes, shared with a domain. Unmapped by its machine when it goes. */
class MappedPage {
 public:
  virtual ~MappedPage() = default;
  virtual std::byte* data() const = 0;
};

/** One event-channel handle and the ways to map; failures are thrown as Failure. */
class Machine {
 public:
  virtual ~Machine() = default;

  virtual std::unique_ptr<MappedPage> mapGrant(uint32_t domid, uint32_t gref) = 0;
  virtual std::unique_ptr<MappedPage> mapFrame(uint32_t domid, uint64_t gfn) = 0;
  /** The XenStore page of the domain this process runs in, and the port its kernel listens on. */
  virtual std::unique_ptr<MappedPage> mapSelf(uint32_t& remotePort) = 0;

  /** @returns the local port */
  virtual uint32_t bind(uint32_t domid, uint32_t remotePort) = 0;
  /**
   * The channel that the program before had in this process: kept where its descriptor was inherited, bound
   * anew where not.
   * @param localPort 0: not known
   * @param remotePort 0: not known
   * @returns the local port
   */
  virtual uint32_t adoptPort(uint32_t domid, uint32_t localPort, uint32_t remotePort) = 0;
  /** Keeps the ports bound if it stays open over an exec; -1: there is none. */
  virtual int inheritableFd() const = 0;
  virtual uint32_t bindVirq(uint32_t virq) = 0;
  virtual void unbind(uint32_t localPort) = 0;
  /**
   * Whether the two ports are the ends of one channel still: who closes his end (soft reset, kexec, death) leaves the
   * other one unbound, and nobody is told. False also where the machine does not say.
   */
  virtual bool isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) = 0;
  virtual void notify(uint32_t localPort) = 0;

  /** Readable while ports are pending. */
  virtual int pendingFd() const = 0;
  /** Takes pending ports, which are masked from then on. @returns how many; 0 when none is left */
  virtual size_t readPending(std::span<uint32_t> ports) = 0;
  virtual void unmask(std::span<const uint32_t> ports) = 0;
};

}  // namespace xcl
