#include "machine.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace xcl::sim {

namespace {

constexpr char kCaps[] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";
constexpr uint64_t kDom0MostKiB = 4ULL << 20;
constexpr uint32_t kAllPorts = UINT32_MAX;
// How long kernels may run before the sockets are looked at again.
constexpr uint64_t kTurnNs = 500'000;

uint32_t processors() { return static_cast<uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

}  // namespace

Machine::Machine(const Options& options)
    : options_(options),
      freeMemory_(options.memoryKiB),
      channels_(*this),
      console_([this] { channels_.raiseVirq(kVirqConRing); }),
      world_(makeGuestWorld(news_, faults_, loop_)),
      scheduler_(domains_),
      domains_(*this, options.firstDomid),
      handles_(*this),
      hypercalls_(*this),
      commands_(*this),
      controls_(*this),
      wakeUps_(loop_, [this] { stop(0); }),
      machineSocket_(loop_, options.runDir + "/simulator.sock", SOCK_SEQPACKET,
                     [this](UniqueFd fd) { handles_.add(std::move(fd)); }),
      controlSocket_(loop_, options.runDir + "/control.sock", SOCK_STREAM,
                     [this](UniqueFd fd) { controls_.add(std::move(fd)); }) {
  if (!options.logFile.empty()) console_.logTo(options.logFile);
  console_.print("Xen version " + options.version + ", " + std::to_string(options.memoryKiB / 1024) + " MiB");
  makeDom0();
}

Machine::~Machine() = default;

void Machine::makeDom0() {
  CreateArgs args;
  args.vcpus = processors();
  args.maxEvtchnPort = kAllPorts;
  args.maxGrantFrames = -1;
  args.memoryKiB = args.maxMemoryKiB = std::min(kDom0MostKiB, options_.memoryKiB / 4);
  Domain& dom0 = domains_.add(kDom0, args);
  dom0.limitMemory(args.maxMemoryKiB);
  dom0.memory().populate(args.memoryKiB);
  StartInfo start;
  start.storePfn = dom0.memory().storePfn();
  start.storePort = channels_.allocateUnbound(kDom0, kDom0, kKernel);
  dom0.load(std::move(start));
  dom0.unpause();
}

int Machine::run() {
  bool mayHaveEvents = false;
  while (!isStopped_) {
    wakeUps_.setTimer(scheduler_.nextTimerNs());
    if (mayHaveEvents && !scheduler_.hasWork()) mayHaveEvents = handles_.deliver();
    loop_.turn(!mayHaveEvents && !scheduler_.hasWork());
    if (scheduler_.nextTimerNs() != UINT64_MAX) scheduler_.expireTimers(monotonicNs());
    mayHaveEvents = handles_.deliver();
    scheduler_.run(kTurnNs);
    domains_.reap();
    handles_.bury();
    controls_.flush();
  }
  return exitCode_;
}

void Machine::stop(int exitCode) {
  isStopped_ = true;
  exitCode_ = std::max(exitCode_, exitCode);
}

HostFacts Machine::facts() const {
  HostFacts facts;
  options_.version.copy(facts.version, sizeof(facts.version) - 1);
  std::memcpy(facts.caps, kCaps, sizeof(kCaps));
  facts.totalMemoryKiB = options_.memoryKiB;
  facts.freeMemoryKiB = freeMemory_.kib();
  facts.cpus = processors();
  return facts;
}

void Machine::fired(uint32_t domid, uint32_t port, PortOwner owner) {
  eventsDelivered_++;
  if (owner != kKernel) return handles_.fire(owner, port);
  Domain* domain = domains_.find(domid);
  if (domain != nullptr) domain->fired(port);
}

void Machine::bound(uint32_t domid, uint32_t port, PortOwner owner) {
  Domain* domain = owner == kKernel ? domains_.find(domid) : nullptr;
  if (domain != nullptr) domain->bound(port);
}

void Machine::domainEnded(Domain& domain, Shutdown reason) {
  const std::string domid = std::to_string(domain.domid());
  if (reason == Shutdown::kCrash) crashed_++;
  if (news_.isHeard()) news_.say("shutdown " + domid + " " + nameOf(reason) + " " + std::to_string(monotonicNs()));
  domains_.changed(domain.domid());
  if (domain.domid() != kDom0) return;
  console_.print("Domain 0 has ended (" + std::string(nameOf(reason)) + "); so does the machine");
  stop(1);
}

}  // namespace xcl::sim
