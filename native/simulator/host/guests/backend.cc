#include "backend.h"

#include <cerrno>
#include <exception>

#include "dom0_kernel.h"
#include "xenbus_session.h"

namespace xcl::sim {

namespace {

constexpr XenbusKey kVifFeatures[] = {
    {"feature-sg", "1"},
    {"feature-gso-tcpv4", "1"},
    {"feature-gso-tcpv6", "1"},
    {"feature-ipv6-csum-offload", "1"},
    {"feature-rx-copy", "1"},
    {"feature-rx-flip", "0"},
    {"feature-multicast-control", "1"},
};
constexpr XenbusKey kVbdFeatures[] = {
    {"feature-max-indirect-segments", "256"},
    {"feature-persistent", "1"},
};
constexpr std::string_view kVifRings[] = {"tx-ring-ref", "rx-ring-ref"};
constexpr std::string_view kVbdRings[] = {"ring-ref"};

/** As the hotplug scripts write it: hexadecimal major:minor. */
bool parseDevice(std::string_view text, uint32_t& device) {
  const size_t colon = text.find(':');
  uint32_t major = 0;
  uint32_t minor = 0;
  if (colon == std::string_view::npos || !parseNumber(text.substr(0, colon), major, 16) ||
      !parseNumber(text.substr(colon + 1), minor, 16)) {
    return false;
  }
  device = major << 20 | minor;
  return true;
}

Text<32> interfaceName(uint32_t domid, uint32_t index) { return Text<32>("vif", domid, ".", index); }

}  // namespace

Backend::Backend(Dom0Kernel& kernel, DeviceKind kind, uint32_t domid, uint32_t index)
    : kernel_(kernel),
      kind_(kind),
      domid_(domid),
      index_(index),
      directory_("backend/", nameOf(kind), "/", domid, "/", index),
      life_(live()) {}

Backend::~Backend() {
  disconnect();
  if (hasInterface_) kernel_.devices().removeInterface(std::string(interfaceName(domid_, index_).view()));
  if (slot_ != UINT32_MAX) kernel_.giveSlotBack(slot_);
}

void Backend::onFrontend() {
  hasFrontendChanged_ = true;
  changed_.raise();
}

void Backend::onKey(std::string_view key) {
  if (hasEnded_) {
    mustBeginAnew_ = true;
  } else if (key.empty()) {
    hasDirectoryChanged_ = true;
    changed_.raise();
  } else if (key == (kind_ == DeviceKind::kVif ? "hotplug-status" : "physical-device")) {
    changed_.raise();
  }
}

void Backend::onNewDaemon() {
  mustWatchAnew_ = hasDirectoryChanged_ = hasFrontendChanged_ = true;
  changed_.raise();
}

Task Backend::live() {
  std::string failure;
  try {
    Task whole = serve();
    co_await whole;
  } catch (const HostFailure& thrown) {
    failure = thrown.op + ": " + thrown.tried;
  } catch (const std::exception& thrown) {
    failure = thrown.what();
  }
  if (!failure.empty()) kernel_.onFailed(*this, failure);
  hasEnded_ = true;
  kernel_.onEnded(*this);
  co_return true;
}

Task Backend::serve() {
  Task begin = probe();
  if (co_await begin) {
    for (bool isAlive = true; isAlive;) {
      co_await changed_.wait();
      Task seen = look();
      isAlive = co_await seen;
      if (!isAlive) break;
      Task done = act();
      isAlive = co_await done;
    }
    const Path statePath = frontendPath("state");
    const Text<12> token(slot_);
    co_await kernel_.store().unwatch(statePath, token);
  }
  co_return true;
}

Task Backend::probe() {
  StoreSession& store = kernel_.store();
  XenbusState found = XenbusState::kUnknown;
  const Path statePath = path("state");
  Task own = readState(store, statePath, found);
  co_await own;
  // One that is not new is on its way out: what else is written there is of no interest.
  if (found != XenbusState::kInitialising) co_return false;
  const Path frontendKey = path("frontend");
  const StoreReply frontend = co_await store.read(frontendKey);
  if (!frontend.isOk || frontend.text.empty()) co_return false;
  frontend_ = cString(frontend.text);
  slot_ = kernel_.takeSlot(*this);
  Task features = offer();
  if (!co_await features) co_return false;
  const Path frontendState = frontendPath("state");
  const Text<12> token(slot_);
  const StoreReply watched = co_await store.watch(frontendState, token);
  co_return watched.isOk;
}

Task Backend::offer() {
  const bool isVif = kind_ == DeviceKind::kVif;
  // Before the toolstack can see InitWait: it looks for the interface then.
  if (isVif) kernel_.devices().addInterface(std::string(interfaceName(domid_, index_).view()));
  hasInterface_ = isVif;
  Task change = switchState(kernel_.store(), directory_, XenbusState::kInitWait, isVif ? kVifFeatures : kVbdFeatures,
                            isVif ? std::size(kVifFeatures) : std::size(kVbdFeatures));
  if (!co_await change) co_return false;
  state_ = XenbusState::kInitWait;
  co_return true;
}

Task Backend::look() {
  StoreSession& store = kernel_.store();
  if (std::exchange(mustWatchAnew_, false)) {
    const Path statePath = frontendPath("state");
    const Text<12> token(slot_);
    co_await store.watch(statePath, token);
  }
  if (std::exchange(hasDirectoryChanged_, false)) {
    XenbusState own = XenbusState::kUnknown;
    const Path statePath = path("state");
    Task there = readState(store, statePath, own);
    co_await there;
    // Made anew since, under the same name.
    if (own == XenbusState::kInitialising) mustBeginAnew_ = true;
    if (own == XenbusState::kInitialising || own == XenbusState::kUnknown) co_return false;
  }
  if (std::exchange(hasFrontendChanged_, false)) {
    const Path statePath = frontendPath("state");
    Task other = readState(store, statePath, frontendState_);
    co_await other;
  }
  co_return true;
}

Task Backend::act() {
  StoreSession& store = kernel_.store();
  switch (frontendState_) {
    case XenbusState::kInitialising:
      if (state_ == XenbusState::kClosed) {
        Task again = switchState(store, directory_, XenbusState::kInitWait);
        if (!co_await again) co_return false;
        state_ = XenbusState::kInitWait;
      }
      co_return true;
    case XenbusState::kInitialised:
    case XenbusState::kConnected: {
      if (state_ != XenbusState::kInitWait) co_return true;
      Task connected = connect();
      co_return co_await connected;
    }
    case XenbusState::kClosing: {
      disconnect();
      Task closing = switchState(store, directory_, XenbusState::kClosing);
      state_ = XenbusState::kClosing;
      co_return co_await closing;
    }
    case XenbusState::kClosed:
    case XenbusState::kUnknown: {
      disconnect();
      Task closed = switchState(store, directory_, XenbusState::kClosed);
      if (!co_await closed) co_return false;
      state_ = XenbusState::kClosed;
      if (frontendState_ == XenbusState::kUnknown) co_return false;
      const Path onlinePath = path("online");
      const StoreReply online = co_await store.read(onlinePath);
      // Kept for a front end that comes back, unless the toolstack is taking the device away.
      co_return online.isOk && cString(online.text) == "1";
    }
    default:
      co_return true;
  }
}

Task Backend::connect() {
  if (mapped_ == 0) {
    Task rings = connectRings();
    if (!co_await rings) co_return true;
  }
  if (!isPlugged_) {
    Task plug = readPlug();
    if (!co_await plug) co_return true;
  }
  if (kind_ == DeviceKind::kVbd) {
    Task disk = announceDisk();
    if (!co_await disk) co_return false;
  } else {
    Task change = switchState(kernel_.store(), directory_, XenbusState::kConnected);
    if (!co_await change) co_return false;
  }
  state_ = XenbusState::kConnected;
  co_return true;
}

Task Backend::connectRings() {
  StoreSession& store = kernel_.store();
  const bool isVif = kind_ == DeviceKind::kVif;
  const uint32_t ringCount = isVif ? 2 : 1;
  const std::string_view* const ringKeys = isVif ? kVifRings : kVbdRings;
  uint32_t grefs[2]{};
  bool isWhole = true;
  for (uint32_t ring = 0; ring < ringCount; ring++) {
    const Path key = frontendPath(ringKeys[ring]);
    const StoreReply gref = co_await store.read(key);
    isWhole = isWhole && gref.isOk && parseNumber(cString(gref.text), grefs[ring]);
  }
  uint32_t remotePort = 0;
  const Path portKey = frontendPath("event-channel");
  const StoreReply port = co_await store.read(portKey);
  isWhole = isWhole && port.isOk && parseNumber(cString(port.text), remotePort);
  if (isVif) {
    const Path copyKey = frontendPath("request-rx-copy");
    const StoreReply copy = co_await store.read(copyKey);
    isWhole = isWhole && copy.isOk && cString(copy.text) == "1";
  }
  int error = isWhole ? 0 : EINVAL;
  std::string what("reading the front end's rings");
  if (isWhole) {
    try {
      mapRings(grefs, ringCount, remotePort);
    } catch (const HostFailure& failure) {
      error = failure.error;
      what = failure.op;
      disconnect();
    }
  }
  if (error == 0) co_return true;
  Task report = reportFailure(error, what);
  co_await report;
  co_return false;
}

void Backend::mapRings(const uint32_t* grefs, uint32_t ringCount, uint32_t remotePort) {
  GuestMachine& machine = kernel_.machine();
  for (uint32_t ring = 0; ring < ringCount; ring++) {
    machine.mapGrant(domid_, grefs[ring]);
    grefs_[ring] = grefs[ring];
    mapped_ = ring + 1;
  }
  port_ = machine.bindInterdomain(domid_, remotePort);
}

Task Backend::readPlug() {
  StoreSession& store = kernel_.store();
  if (kind_ == DeviceKind::kVif) {
    const Path key = path("hotplug-status");
    const StoreReply status = co_await store.read(key);
    // Without the key there is no toolstack to wait for, says netback.
    isPlugged_ = status.isOk ? cString(status.text) == "connected" : cString(status.text) == "ENOENT";
    co_return isPlugged_;
  }
  const Path key = path("physical-device");
  const StoreReply device = co_await store.read(key);
  uint32_t number = 0;
  if (!device.isOk || !parseDevice(cString(device.text), number)) co_return false;
  isPlugged_ = kernel_.devices().findDisk(number, sectors_);
  if (!isPlugged_) {
    Task report = reportFailure(ENXIO, "opening physical-device");
    co_await report;
  }
  co_return isPlugged_;
}

Task Backend::announceDisk() {
  const Text<20> sectors(sectors_);
  const XenbusKey keys[] = {
      {"feature-flush-cache", "1"}, {"feature-barrier", "0"}, {"sectors", sectors},
      {"info", "0"},                {"sector-size", "512"},   {"physical-sector-size", "512"},
  };
  Task change = switchState(kernel_.store(), directory_, XenbusState::kConnected, keys, std::size(keys));
  co_return co_await change;
}

Task Backend::reportFailure(int error, std::string_view what) {
  const Path key("error/", directory_.view(), "/error");
  const Text<120> value(static_cast<uint32_t>(error), " ", what);
  co_await kernel_.store().write(key, value);
  Task closing = switchState(kernel_.store(), directory_, XenbusState::kClosing);
  state_ = XenbusState::kClosing;
  co_return co_await closing;
}

void Backend::disconnect() {
  GuestMachine& machine = kernel_.machine();
  const auto giveBack = [](auto call) {
    try {
      call();
    } catch (const HostFailure&) {
      // Xen says that it is not there: then it need not be given back, and dom0 does not end for it.
    }
  };
  if (port_ != 0) giveBack([&] { machine.closePort(std::exchange(port_, 0)); });
  while (mapped_ > 0) giveBack([&] { machine.unmapGrant(domid_, grefs_[--mapped_]); });
}

}  // namespace xcl::sim
