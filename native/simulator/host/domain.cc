#include "domain.h"

#include <algorithm>
#include <cerrno>

#include "machine.h"

namespace xcl::sim {

namespace {

// Xen counts no further.
constexpr uint32_t kMostPauses = 255;
// The call of a guest that is for no port.
constexpr uint32_t kNoPort = 0;
// Ports that were taken and still lie in the row.
constexpr size_t kPortsKept = 256;

uint64_t keyOf(uint32_t domid, uint32_t gref) { return static_cast<uint64_t>(domid) << 32 | gref; }

}  // namespace

const char* nameOf(Shutdown reason) {
  constexpr std::array kNames = {"poweroff", "reboot", "suspend", "crash", "watchdog"};
  return kNames.at(static_cast<size_t>(reason));
}

Domain::Domain(Machine& machine, uint32_t domid, const CreateArgs& args)
    : machine_(machine),
      domid_(domid),
      args_(args),
      memory_(machine.pages(), machine.freeMemory(), domid, args.isPvh != 0),
      grants_(args.maxGrantFrames) {
  machine_.channels().addDomain(domid, args.maxEvtchnPort);
}

Domain::~Domain() {
  guest_.reset();
  machine_.channels().removeDomain(domid_);
}

DomainFacts Domain::facts() const {
  DomainFacts facts;
  std::copy(std::begin(args_.uuid), std::end(args_.uuid), facts.uuid);
  const bool isBusy = domid_ == kDom0 || isQueued;
  facts.domid = domid_;
  facts.isDying = isDead_;
  facts.isShutdown = isShutdown_;
  facts.shutdownCode = isShutdown_ ? static_cast<uint8_t>(reason_) : 0;
  facts.isPaused = pauses_ != 0;
  facts.isRunning = isRunnable() && isBusy;
  // A processor that has not run yet waits for nothing.
  facts.isBlocked = !isShutdown_ && !isDead_ && !isBusy && (isBooted_ || !guest_);
  facts.isHvm = args_.isPvh != 0;
  // One processor is there from the build on; the kernel starts the others.
  facts.vcpus = isBooted_ ? args_.vcpus : guest_ ? 1 : 0;
  facts.memoryKiB = memory_.ownKiB();
  facts.maxMemoryKiB = maxMemoryKiB_;
  facts.cpuTimeNs = cpuNs_;
  return facts;
}

void Domain::load(StartInfo start) {
  start_ = std::move(start);
  guest_ = domid_ == kDom0 ? machine_.world().makeDom0(*this) : machine_.world().makeGuest(*this);
  machine_.scheduler().enqueue(*this);
}

void Domain::pause() {
  if (domid_ == kDom0) throw HostFailure{"domain_pause", EINVAL, "cannot pause"};
  if (pauses_ == kMostPauses) throw HostFailure{"domain_pause", EOVERFLOW, "cannot pause"};
  pauses_++;
}

void Domain::unpause() {
  if (pauses_ == 0) throw HostFailure{"domain_unpause", EINVAL, "cannot unpause"};
  if (--pauses_ == 0) machine_.scheduler().enqueue(*this);
}

void Domain::kill() {
  if (domid_ == kDom0) throw HostFailure{"domain_destroy", EINVAL, "cannot destroy"};
  if (isDead_) return;
  isDead_ = true;
  guest_.reset();
  machine_.scheduler().setTimer(*this, UINT64_MAX);
  machine_.channels().removeDomain(domid_);
  for (const auto& [key, held] : held_) {
    for (uint32_t i = 0; i < held.count; i++) held.mapping.of->unmap(held.mapping);
  }
  held_.clear();
  firedPorts_.clear();
  machine_.domains().changed(domid_);
  if (mappedByOthers_ == 0) machine_.domains().expire(domid_);
}

Mapping Domain::mapGranted(uint32_t gref, uint32_t byDomid, bool isForWriting) {
  const HostFailure refusal{"gnttab_map_grant_ref", EINVAL, "cannot map grant " + std::to_string(gref)};
  if (isDead_) throw refusal;
  GrantTable::Grant& grant = grants_.forMapping(gref, byDomid, isForWriting);
  const uint32_t page = memory_.page(grant.pfn);
  grant.maps++;
  mappedByOthers_++;
  machine_.pages().ref(page);
  return {this, page, gref};
}

Mapping Domain::mapForeign(uint64_t gfn) {
  uint32_t page = 0;
  if (isDead_ || !memory_.pageOfFrame(gfn, page)) {
    throw HostFailure{"foreignmemory_map", EINVAL, "cannot map frame " + std::to_string(gfn)};
  }
  mappedByOthers_++;
  machine_.pages().ref(page);
  return {this, page, -1};
}

void Domain::unmap(const Mapping& mapping) {
  if (mapping.gref >= 0) grants_.unmapped(static_cast<uint32_t>(mapping.gref));
  machine_.pages().unref(mapping.page);
  mappedByOthers_--;
  if (isDead_ && mappedByOthers_ == 0) machine_.domains().expire(domid_);
}

void Domain::fired(uint32_t port) {
  if (isDead_ || isShutdown_) return;
  const size_t word = port / 64;
  const uint64_t bit = 1ULL << (port % 64);
  if (word >= isFired_.size()) isFired_.resize(word + 1);
  if ((isFired_[word] & bit) != 0) return;
  isFired_[word] |= bit;
  firedPorts_.push_back(port);
  machine_.scheduler().enqueue(*this);
}

void Domain::timerExpired() {
  isTimerDue_ = true;
  machine_.scheduler().enqueue(*this);
}

bool Domain::isRunnable() const { return guest_ && pauses_ == 0 && !isShutdown_ && !isDead_; }

uint32_t Domain::takePort() {
  while (firedFrom_ < firedPorts_.size()) {
    const uint32_t port = firedPorts_[firedFrom_++];
    isFired_[port / 64] &= ~(1ULL << (port % 64));
    if (firedFrom_ >= kPortsKept && firedFrom_ * 2 >= firedPorts_.size()) {
      // A domain that is never through would keep all that ever fired.
      firedPorts_.erase(firedPorts_.begin(), firedPorts_.begin() + static_cast<ptrdiff_t>(firedFrom_));
      firedFrom_ = 0;
    }
    if (machine_.channels().isOwnedBy(domid_, port, kKernel)) return port;
  }
  firedPorts_.clear();
  firedFrom_ = 0;
  return kNoPort;
}

bool Domain::step() {
  if (!isRunnable()) return false;
  const uint32_t port = isBooted_ ? takePort() : kNoPort;
  if (isBooted_ && port == kNoPort && !isTimerDue_) return false;
  try {
    runGuest(port);
  } catch (const HostFailure& failure) {
    fail(failure);
  }
  return true;
}

void Domain::runGuest(uint32_t port) {
  if (!isBooted_) {
    isBooted_ = true;
    guest_->boot();
  } else if (port != kNoPort) {
    guest_->onEvent(port);
  } else {
    isTimerDue_ = false;
    guest_->onTimer();
  }
}

void Domain::fail(const HostFailure& failure) {
  const std::string why = failure.op + ": " + failure.tried + ": " + errnoName(failure.error);
  machine_.console().print("d" + std::to_string(domid_) + " crashed, " + why);
  machine_.news().say("failed " + std::to_string(domid_) + " " + why);
  shutdown(Shutdown::kCrash);
}

std::byte* Domain::page(uint64_t pfn) { return machine_.pages().at(memory_.page(pfn)); }

uint32_t Domain::grant(uint32_t toDomid, uint64_t pfn, bool isReadOnly) {
  memory_.page(pfn);
  return grants_.add(toDomid, pfn, isReadOnly);
}

void Domain::checkFault(const char* name, uint32_t remoteDomid, const std::string& tried) {
  const int error = machine_.faults().at(name, remoteDomid == kDom0 ? domid_ : remoteDomid);
  // A kernel is no program that could be killed; its call is cut short.
  if (error != 0) throw HostFailure{name, error == Faults::kKillsCaller ? EINTR : error, tried};
}

std::byte* Domain::mapGrant(uint32_t domid, uint32_t gref) {
  checkFault("gnttab_map_grant_ref", domid, "cannot map grant " + std::to_string(gref));
  Held& held = held_[keyOf(domid, gref)];
  if (held.count == 0) {
    Domain* of = machine_.domains().find(domid);
    try {
      if (of == nullptr) {
        throw HostFailure{"gnttab_map_grant_ref", EINVAL, "cannot map grant " + std::to_string(gref)};
      }
      held.mapping = of->mapGranted(gref, domid_, false);
    } catch (const HostFailure&) {
      held_.erase(keyOf(domid, gref));
      throw;
    }
  } else {
    held.mapping = held.mapping.of->mapGranted(gref, domid_, false);
  }
  held.count++;
  return machine_.pages().at(held.mapping.page);
}

void Domain::unmapGrant(uint32_t domid, uint32_t gref) {
  const auto found = held_.find(keyOf(domid, gref));
  if (found == held_.end()) {
    throw HostFailure{"gnttab_unmap_grant_ref", EINVAL, "grant " + std::to_string(gref) + " is not mapped"};
  }
  const Mapping mapping = found->second.mapping;
  if (--found->second.count == 0) held_.erase(found);
  mapping.of->unmap(mapping);
}

uint32_t Domain::allocateUnbound(uint32_t remoteDomid) {
  checkFault("evtchn_alloc_unbound", remoteDomid, "cannot have an event channel");
  return machine_.channels().allocateUnbound(domid_, remoteDomid, kKernel);
}

uint32_t Domain::bindInterdomain(uint32_t remoteDomid, uint32_t remotePort) {
  checkFault("evtchn_bind_interdomain", remoteDomid,
             "cannot bind event channel (remote port " + std::to_string(remotePort) + ")");
  return machine_.channels().bindInterdomain(domid_, remoteDomid, remotePort, kKernel);
}

void Domain::closePort(uint32_t port) { machine_.channels().close(domid_, port); }

void Domain::notify(uint32_t port) { machine_.channels().notify(domid_, port); }

void Domain::shutdown(Shutdown reason) {
  if (isShutdown_ || isDead_) return;
  isShutdown_ = true;
  reason_ = reason;
  machine_.scheduler().setTimer(*this, UINT64_MAX);
  if (guest_) guest_->onShutdown();
  machine_.domainEnded(*this, reason);
}

uint64_t Domain::nowNs() const { return monotonicNs(); }

void Domain::wakeAt(uint64_t ns) { machine_.scheduler().setTimer(*this, ns); }

}  // namespace xcl::sim
