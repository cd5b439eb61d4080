#include "dom0_kernel.h"

#include "text.h"

namespace xcl::sim {

namespace {

constexpr uint32_t kMaxSlots = 1U << 24;

uint64_t deviceKey(DeviceKind kind, uint32_t domid, uint32_t index) {
  return uint64_t{static_cast<uint8_t>(kind)} << 48 | uint64_t{domid & 0xffffU} << 32 | index;
}

uint32_t domainKey(DeviceKind kind, uint32_t domid) { return uint32_t{static_cast<uint8_t>(kind)} << 16 | domid; }

std::string_view rootOf(DeviceKind kind) { return kind == DeviceKind::kVif ? "backend/vif" : "backend/vbd"; }

/** Beside numbers, which are slots. */
std::string_view tokenOf(DeviceKind kind) { return nameOf(kind); }

/** Takes off what is before the next slash. */
std::string_view takeName(std::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return name;
}

}  // namespace

Dom0Kernel::Dom0Kernel(GuestRegistry& registry, HostDevices& devices, GuestMachine& machine)
    : registry_(registry),
      devices_(devices),
      machine_(machine),
      store_(*this, registry.statistics()),
      freeSlots_(0, kMaxSlots) {}

Dom0Kernel::~Dom0Kernel() {
  store_.close();
  forgetAll();
}

void Dom0Kernel::boot() {
  const StartInfo& start = machine_.start();
  store_.attach(machine_, machine_.page(start.storePfn), start.storePort);
  store_.outliveDaemon();
}

void Dom0Kernel::onBound(uint32_t port) {
  if (port != store_.port()) return;
  store_.clearRing();
  hasNewDaemon_ = true;
}

void Dom0Kernel::onEvent(uint32_t port) {
  if (port == store_.port()) serve();
}

void Dom0Kernel::onTimer() { serve(); }

void Dom0Kernel::serve() {
  if (std::exchange(hasNewDaemon_, false)) begin();
  store_.sendWaiting();
  store_.receive();
  reap();
  store_.notify();
  if (store_.wantsTurn()) machine_.wakeAt(machine_.nowNs());
}

void Dom0Kernel::begin() {
  daemons_++;
  store_.renew();
  for (const DeviceKind kind : {DeviceKind::kVif, DeviceKind::kVbd}) {
    Task& root = roots_[static_cast<size_t>(kind)];
    // One that is not through begins again by itself.
    if (root && !root.isDone()) continue;
    root = watchRoot(kind);
    root.start();
  }
  for (const auto& [key, backend] : backends_) backend->onNewDaemon();
}

void Dom0Kernel::forgetAll() {
  for (Task& task : roots_) task = Task();
  for (Task& task : rootChecks_) task = Task();
  ended_.clear();
  ofDomain_.clear();
  backends_.clear();
}

Task Dom0Kernel::watchRoot(DeviceKind kind) {
  for (uint32_t seen = 0; seen != daemons_;) {
    seen = daemons_;
    co_await store_.watch(rootOf(kind), tokenOf(kind));
    Task all = addAll(kind);
    co_await all;
  }
  co_return true;
}

Task Dom0Kernel::addAll(DeviceKind kind) {
  std::vector<std::string> domids;
  Task all = listAll(rootOf(kind), domids);
  co_await all;
  for (const std::string& name : domids) {
    uint32_t domid = 0;
    if (!parseNumber(std::string_view(name), domid)) continue;
    std::vector<std::string> indices;
    const Text<32> path(rootOf(kind), "/", domid);
    Task own = listAll(path, indices);
    co_await own;
    for (const std::string& indexName : indices) {
      uint32_t index = 0;
      if (parseNumber(std::string_view(indexName), index)) add(kind, domid, index);
    }
  }
  co_return true;
}

Task Dom0Kernel::listAll(std::string_view path, std::vector<std::string>& names) {
  std::string bytes;
  const StoreReply whole = co_await store_.list(path);
  if (whole.isOk) {
    bytes = whole.text;
  } else if (cString(whole.text) == "E2BIG") {
    // In parts of a directory that may change meanwhile: what is new has an event of its own, and what is gone
    // is found gone. Parts that do not fit together may hold half names, which name no device.
    for (bool isWhole = false; !isWhole;) {
      const Text<12> offset(static_cast<uint32_t>(bytes.size()));
      const StoreReply part = co_await store_.listFrom(path, offset);
      if (!part.isOk) co_return false;
      const std::string_view rest = part.text.substr(std::min(cString(part.text).size() + 1, part.text.size()));
      isWhole = rest.empty() || rest == std::string_view("\0", 1) || rest.ends_with(std::string_view("\0\0", 2));
      bytes.append(rest);
    }
  }
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view name = cString(rest);
    if (!name.empty()) names.emplace_back(name);
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  co_return true;
}

Task Dom0Kernel::checkRoot(DeviceKind kind) {
  const StoreReply root = co_await store_.read(rootOf(kind));
  if (root.isOk) co_return true;
  for (const auto& [key, backend] : backends_) {
    if (backend->kind() == kind) backend->onKey({});
  }
  co_return true;
}

void Dom0Kernel::onWatchEvent(std::string_view path, std::string_view token) {
  for (const DeviceKind kind : {DeviceKind::kVif, DeviceKind::kVbd}) {
    if (token != tokenOf(kind)) continue;
    if (path.starts_with(rootOf(kind))) onBackendEvent(kind, path.substr(rootOf(kind).size()));
    return;
  }
  uint32_t slot = 0;
  if (!parseNumber(token, slot) || slot >= slots_.size() || slots_[slot] == nullptr) return;
  slots_[slot]->onFrontend();
}

void Dom0Kernel::onBackendEvent(DeviceKind kind, std::string_view rest) {
  takeName(rest);
  uint32_t domid = 0;
  uint32_t index = 0;
  if (rest.empty()) {
    Task& check = rootChecks_[static_cast<size_t>(kind)];
    if (!roots_[static_cast<size_t>(kind)].isDone() || (check && !check.isDone())) return;
    check = checkRoot(kind);
    check.start();
    return;
  }
  if (!parseNumber(takeName(rest), domid) || domid > 0xffff) return;
  if (rest.empty()) {
    const auto first = ofDomain_.find(domainKey(kind, domid));
    if (first == ofDomain_.end()) return;
    for (Backend* backend = first->second; backend != nullptr; backend = backend->next) backend->onKey({});
    return;
  }
  if (!parseNumber(takeName(rest), index)) return;
  const auto known = backends_.find(deviceKey(kind, domid, index));
  if (known == backends_.end()) {
    add(kind, domid, index);
  } else {
    known->second->onKey(rest);
  }
}

void Dom0Kernel::add(DeviceKind kind, uint32_t domid, uint32_t index) {
  auto [place, isNew] = backends_.try_emplace(deviceKey(kind, domid, index));
  if (!isNew) return;
  place->second = std::make_unique<Backend>(*this, kind, domid, index);
  Backend& backend = *place->second;
  Backend*& first = ofDomain_[domainKey(kind, domid)];
  backend.next = first;
  first = &backend;
  backend.start();
}

void Dom0Kernel::reap() {
  // Starting one may end another: by index, and until none is left.
  for (size_t at = 0; at < ended_.size(); at++) {
    Backend& backend = *ended_[at];
    const DeviceKind kind = backend.kind();
    const uint32_t domid = backend.domid();
    const uint32_t index = backend.index();
    const bool mustBeginAnew = backend.mustBeginAnew();
    const auto chain = ofDomain_.find(domainKey(kind, domid));
    Backend** link = &chain->second;
    while (*link != &backend) link = &(*link)->next;
    *link = backend.next;
    if (chain->second == nullptr) ofDomain_.erase(chain);
    backends_.erase(deviceKey(kind, domid, index));
    if (mustBeginAnew) add(kind, domid, index);
  }
  ended_.clear();
}

uint32_t Dom0Kernel::takeSlot(Backend& backend) {
  const uint32_t slot = freeSlots_.take();
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  slots_[slot] = &backend;
  return slot;
}

void Dom0Kernel::giveSlotBack(uint32_t slot) {
  slots_[slot] = nullptr;
  freeSlots_.giveBack(slot);
}

void Dom0Kernel::onFailed(Backend& backend, const std::string& why) {
  const Text<64> which("the back end of ", nameOf(backend.kind()), " ", backend.index(), " has failed: ");
  registry_.statistics().broken++;
  registry_.news().say("broken " + std::to_string(backend.domid()) + " " + std::string(which.view()) + why);
}

void Dom0Kernel::onBroken(const std::string& sentence) {
  registry_.statistics().broken++;
  if (registry_.news().isHeard()) registry_.news().say("broken 0 " + sentence);
}

}  // namespace xcl::sim
