// Handles of event channels, each what an open /dev/xen/evtchn is: a descriptor that is readable while a port that
// was bound through it is pending. xenstored opens one, xenconsoled one for each console; the machine has one
// descriptor for all of this process.
//
//   machine ---> pending ports ---> queue of the handle that bound the port ---> xenevtchn_pending, one at a time
//
// The first handle has the machine's own descriptor, so that whoever opens no other may wait in any way. The others
// have descriptors that never become readable by themselves: `poll` says what their queues say.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "../../../native/src/machine_simulator.h"
#include "../../../native/src/unique_fd.h"

namespace xcl::stock {

/** Belongs to EventHandles. */
struct EventHandle {
  int fd = -1;
  /** Not open: the descriptor is the machine's. */
  UniqueFd own;
  std::vector<uint32_t> ports;
  /** Pending, and masked. */
  std::deque<uint32_t> queue;
  /** Among those whose queue is looked at by the next `poll`. */
  bool isReady = false;
  /** Where it stood in the array of the last `poll`. */
  size_t place = 0;
};

class EventHandles {
 public:
  using Poll = int(pollfd*, nfds_t, int);

  explicit EventHandles(MachineSimulator& machine) : machine_(machine) {}

  /** @throws Failure when no descriptor is left */
  EventHandle* open();
  /** Unbinds its ports. */
  void close(EventHandle* handle);

  /** @returns the local port @throws Failure */
  uint32_t bind(EventHandle& handle, uint32_t domid, uint32_t remotePort);
  uint32_t bindVirq(EventHandle& handle, uint32_t virq);
  void unbind(EventHandle& handle, uint32_t port);
  bool isBound(uint32_t port) const { return port < owners_.size() && owners_[port] != nullptr; }

  /** The next port, which is masked from then on. */
  uint32_t take(EventHandle& handle);
  void unmask(uint32_t port);

  /** poll(2), with what is known of the handles in it. */
  int poll(pollfd* entries, nfds_t count, int timeoutMs, Poll* real);

 private:
  void own(EventHandle& handle, uint32_t port);
  EventHandle* handleOf(int fd) const;
  /** Moves ports that are pending into the queues of their handles. */
  void gather();
  /** Says in the entries which handles have something. @returns how many have */
  int mark(pollfd* entries, nfds_t count);
  pollfd* entryOf(EventHandle& handle, pollfd* entries, nfds_t count);

  MachineSimulator& machine_;
  std::vector<std::unique_ptr<EventHandle>> handles_;
  EventHandle* first_ = nullptr;
  std::vector<EventHandle*> byFd_;
  /** By local port. */
  std::vector<EventHandle*> owners_;
  std::vector<EventHandle*> ready_;
  /** The places were looked for in the array that is polled now. */
  bool arePlacesKnown_ = false;
};

}  // namespace xcl::stock
