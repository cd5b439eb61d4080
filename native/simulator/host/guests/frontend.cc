#include "frontend.h"

#include "native_guest.h"
#include "xenbus_session.h"

namespace xcl::sim {

namespace {

constexpr std::string_view kDiskKeys[] = {"sectors", "info", "sector-size"};

}  // namespace

Frontend::Frontend(NativeGuest& guest, DeviceKind kind, uint32_t index)
    : guest_(guest), kind_(kind), index_(index), directory_("device/", nameOf(kind), "/", index), life_(live()) {}

Frontend::Path Frontend::path(std::string_view key) const {
  return Path(directory_.view(), "/", key);
}

Task Frontend::live() {
  StoreSession& store = guest_.store();
  Task found = readBackend();
  if (!co_await found) {
    settle();
    co_return false;
  }
  const Text<8> token = guest_.watchToken(backendChanged_);
  co_await store.watch(backendStatePath_, token);
  for (bool isAlive = true; isAlive;) {
    co_await backendChanged_.wait();
    Task step = follow();
    isAlive = co_await step;
  }
  settle();
  co_await store.unwatch(backendStatePath_, token);
  guest_.forgetToken(backendChanged_);
  co_return true;
}

Task Frontend::readBackend() {
  StoreSession& store = guest_.store();
  const Path idPath = path("backend-id");
  const StoreReply id = co_await store.read(idPath);
  if (!id.isOk || !parseNumber(cString(id.text), backendDomid_)) co_return false;
  const Path backendPath = path("backend");
  const StoreReply backend = co_await store.read(backendPath);
  if (!backend.isOk || backend.text.empty()) co_return false;
  backendStatePath_ = cString(backend.text);
  backendStatePath_ += "/state";
  co_return true;
}

Task Frontend::follow() {
  Task look = readState(guest_.store(), backendStatePath_, backendState_);
  co_await look;
  const bool isOffered = backendState_ == XenbusState::kInitWait ||
                         (kind_ == DeviceKind::kVbd && backendState_ == XenbusState::kInitialised);
  if (isOffered && state_ == XenbusState::kInitialising) {
    Task offer = offerRings();
    co_return co_await offer;
  }
  if (backendState_ == XenbusState::kConnected && !isConnected_ && state_ != XenbusState::kInitialising) {
    if (kind_ == DeviceKind::kVbd) {
      Task disk = readDisk();
      if (!co_await disk) co_return false;
    }
    Statistics& statistics = guest_.registry().statistics();
    (kind_ == DeviceKind::kVif ? statistics.vifConnected : statistics.vbdConnected)++;
    isConnected_ = true;
    if (guest_.registry().news().isHeard()) {
      const Text<32> what(nameOf(kind_), " ", index_);
      guest_.say("connected", what);
    }
    settle();
    co_return true;
  }
  if (backendState_ == XenbusState::kInitialising) co_return true;
  if (backendState_ == XenbusState::kClosing || backendState_ == XenbusState::kClosed) {
    if (state_ != XenbusState::kClosed) {
      Task closing = close();
      if (!co_await closing) backendState_ = XenbusState::kUnknown;
    }
    settle();
  }
  if (backendState_ != XenbusState::kClosed && backendState_ != XenbusState::kUnknown) co_return true;
  // Only now: until it is Closed the back end may use what it was granted.
  release();
  co_return false;
}

Task Frontend::offerRings() {
  StoreSession& store = guest_.store();
  if (!makeRings()) {
    Task closing = close();
    const bool isClosed = co_await closing;
    settle();
    co_return isClosed;
  }
  for (bool isWritten = false; !isWritten;) {
    uint32_t txId = 0;
    const StoreReply begun = co_await store.begin();
    if (!parseTransaction(begun, txId)) co_return false;
    StoreBatch keys(store, txId);
    if (kind_ == DeviceKind::kVif) {
      keys.write(path("tx-ring-ref"), Text<12>(grefs_[0]));
      keys.write(path("rx-ring-ref"), Text<12>(grefs_[1]));
      keys.write(path("event-channel"), Text<12>(port_));
      keys.write(path("request-rx-copy"), "1");
      keys.write(path("feature-rx-notify"), "1");
      keys.write(path("feature-sg"), "1");
      keys.write(path("feature-gso-tcpv4"), "1");
    } else {
      keys.write(path("ring-ref"), Text<12>(grefs_[0]));
      keys.write(path("event-channel"), Text<12>(port_));
      keys.write(path("protocol"), "x86_64-abi");
      keys.write(path("feature-persistent"), "1");
    }
    keys.end();
    const StoreReply ended = co_await keys;
    isWritten = ended.isOk;
    if (!isWritten && cString(ended.text) != "EAGAIN") co_return false;
  }
  if (guest_.diesAt(nameOf(kind_))) co_await std::suspend_always();

  const XenbusState next = kind_ == DeviceKind::kVif ? XenbusState::kConnected : XenbusState::kInitialised;
  Task change = switchState(store, directory_, next);
  if (!co_await change) co_return false;
  state_ = next;
  co_return true;
}

bool Frontend::makeRings() {
  GuestMachine& machine = guest_.machine();
  const int ringCount = kind_ == DeviceKind::kVif ? 2 : 1;
  try {
    for (int ring = 0; ring < ringCount; ring++) {
      rings_[ring] = machine.allocatePage();
      grefs_[ring] = machine.grant(backendDomid_, rings_[ring], false);
    }
    port_ = machine.allocateUnbound(backendDomid_);
    return true;
  } catch (const HostFailure&) {
    // A device less, and no reason for a kernel to end.
    release();
    return false;
  }
}

Task Frontend::readDisk() {
  StoreSession& store = guest_.store();
  const std::string_view backend(backendStatePath_.data(), backendStatePath_.size() - std::string_view("state").size());
  bool isWhole = true;
  for (const std::string_view key : kDiskKeys) {
    const Text<160> keyPath(backend, key);
    const StoreReply value = co_await store.read(keyPath);
    uint64_t number = 0;
    isWhole = isWhole && value.isOk && parseNumber(cString(value.text), number);
  }
  if (!isWhole) co_return false;
  Task change = switchState(store, directory_, XenbusState::kConnected);
  if (!co_await change) co_return false;
  state_ = XenbusState::kConnected;
  co_return true;
}

Task Frontend::close() {
  disconnect();
  Task closing = switchState(guest_.store(), directory_, XenbusState::kClosing);
  state_ = XenbusState::kClosing;
  if (!co_await closing) co_return false;
  Task closed = switchState(guest_.store(), directory_, XenbusState::kClosed);
  state_ = XenbusState::kClosed;
  co_return co_await closed;
}

void Frontend::release() {
  GuestMachine& machine = guest_.machine();
  disconnect();
  if (port_ != 0) machine.closePort(std::exchange(port_, 0));
  for (int ring = 0; ring < 2; ring++) {
    if (rings_[ring] == 0) continue;
    try {
      if (grefs_[ring] != 0) machine.endGrant(std::exchange(grefs_[ring], 0));
      machine.freePage(rings_[ring]);
    } catch (const HostFailure&) {
      // Still mapped: a page that is shared is never used again, as in Linux; the domain's end frees it.
    }
    rings_[ring] = 0;
  }
}

void Frontend::disconnect() {
  if (!std::exchange(isConnected_, false)) return;
  Statistics& statistics = guest_.registry().statistics();
  (kind_ == DeviceKind::kVif ? statistics.vifConnected : statistics.vbdConnected)--;
}

void Frontend::settle() {
  if (!std::exchange(isSettled_, true)) guest_.onSettled();
}

std::string Frontend::describe() const {
  return std::string(nameOf(kind_)) + " " + std::to_string(index_) + " state " +
         std::to_string(static_cast<uint32_t>(state_)) + " backend " +
         std::to_string(static_cast<uint32_t>(backendState_)) + (isConnected_ ? " connected" : "");
}

}  // namespace xcl::sim
