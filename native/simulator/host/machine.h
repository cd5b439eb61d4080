// The simulated machine: owns all of its parts, and runs the loop.
//
// A turn of the loop: what waits at the sockets; what dom0's handles have fired; kernels, for half a
// millisecond at most; then what was closed is freed, and news go out. The loop sleeps only when no handle
// is awake: each was told so and was looked at once more (protocol.h, EventArea).
#pragma once

#include <string>

#include "commands.h"
#include "control.h"
#include "domain_table.h"
#include "event_channels.h"
#include "event_loop.h"
#include "faults.h"
#include "handles.h"
#include "hypercalls.h"
#include "listener.h"
#include "news.h"
#include "options.h"
#include "scheduler.h"
#include "wake_ups.h"
#include "xen_console.h"

namespace xcl::sim {

class Machine : public EventSink {
 public:
  /** Makes dom0, and accepts connections when it returns. @throws HostFailure */
  explicit Machine(const Options& options);
  ~Machine() override;

  /** Runs until `stop`. @returns the exit code */
  int run();
  void stop(int exitCode);

  EventLoop& loop() { return loop_; }
  PageStore& pages() { return pages_; }
  FreeMemory& freeMemory() { return freeMemory_; }
  EventChannels& channels() { return channels_; }
  Faults& faults() { return faults_; }
  News& news() { return news_; }
  XenConsole& console() { return console_; }
  GuestWorld& world() { return *world_; }
  DomainTable& domains() { return domains_; }
  Scheduler& scheduler() { return scheduler_; }
  Handles& handles() { return handles_; }
  Hypercalls& hypercalls() { return hypercalls_; }
  Commands& commands() { return commands_; }

  HostFacts facts() const;
  /** This Xen says which domains have changed. */
  bool tellsChanged() const { return options_.tellsChanged; }
  uint64_t crashed() const { return crashed_; }
  uint64_t eventsDelivered() const { return eventsDelivered_; }

  void fired(uint32_t domid, uint32_t port, PortOwner owner) override;
  void bound(uint32_t domid, uint32_t port, PortOwner owner) override;
  /** A domain has shut down. */
  void domainEnded(Domain& domain, Shutdown reason);

 private:
  void makeDom0();

  Options options_;
  EventLoop loop_;
  PageStore pages_;
  FreeMemory freeMemory_;
  EventChannels channels_;
  Faults faults_;
  News news_;
  XenConsole console_;
  std::unique_ptr<GuestWorld> world_;
  Scheduler scheduler_;
  DomainTable domains_;
  Handles handles_;
  Hypercalls hypercalls_;
  Commands commands_;
  Controls controls_;
  WakeUps wakeUps_;
  Listener machineSocket_;
  Listener controlSocket_;
  uint64_t crashed_ = 0;
  uint64_t eventsDelivered_ = 0;
  bool isStopped_ = false;
  int exitCode_ = 0;
};

}  // namespace xcl::sim
