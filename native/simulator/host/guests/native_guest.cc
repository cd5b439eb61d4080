#include "native_guest.h"

#include <algorithm>

#include "scripts.h"

namespace xcl::sim {

NativeGuest::NativeGuest(GuestRegistry& registry, GuestMachine& machine)
    : registry_(registry),
      machine_(machine),
      store_(*this, registry.statistics()),
      console_(registry.statistics()) {
  registry_.add(*this);
  const std::string_view script = argument("script");
  if (script == "tap") tap_ = std::make_unique<Tap>(registry_.loop(), *this);
  if (script == "print") printer_ = std::make_unique<Printer>();
}

NativeGuest::~NativeGuest() {
  leave();
  registry_.remove(*this);
}

void NativeGuest::boot() {
  const StartInfo& start = machine_.start();
  store_.attach(machine_, machine_.page(start.storePfn), start.storePort);
  console_.attach(machine_, machine_.page(start.consolePfn), start.consolePort);
  if (diesAt("boot")) return;
  const std::string_view name = argument("script");
  const Script script = findScript(name.empty() ? "hello" : name);
  if (script == nullptr) {
    console_.print("unknown script\r\n");
    return end(Shutdown::kCrash);
  }
  script_ = script(*this);
  script_.start();
  endTurn();
}

void NativeGuest::onEvent(uint32_t port) {
  if (port == store_.port()) {
    store_.sendWaiting();
    store_.receive();
  } else if (port == console_.port()) {
    console_.onEvent();
    attention_.raise();
  }
  woken_.raise();
  endTurn();
}

void NativeGuest::onTimer() {
  isYielding_ = false;
  // Work that is due is seen to by the script, which then says when it is to be next.
  if (nextWorkNs_ > machine_.nowNs()) armTimer();
  store_.sendWaiting();
  store_.receive();
  attention_.raise();
  woken_.raise();
  endTurn();
}

void NativeGuest::onShutdown() { leave(); }

std::string_view NativeGuest::argument(std::string_view name) const {
  const std::string_view line = machine_.start().cmdline;
  for (size_t at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
    const std::string_view rest = line.substr(at + name.size());
    const bool isWhole = at == 0 || line[at - 1] == ' ';
    if (isWhole && rest.starts_with('=')) return firstWord(rest.substr(1), rest.size());
  }
  return {};
}

Text<8> NativeGuest::watchToken(Signal& fired) {
  uint32_t slot = 0;
  while (slot < watches_.size() && watches_[slot] != nullptr) slot++;
  if (slot == watches_.size()) watches_.push_back(nullptr);
  watches_[slot] = &fired;
  char letters[8];
  char* begin = letters + sizeof letters;
  do {
    *--begin = static_cast<char>('a' + slot % 26);
    slot /= 26;
  } while (slot != 0);
  return Text<8>(std::string_view(begin, static_cast<size_t>(letters + sizeof letters - begin)));
}

void NativeGuest::forgetToken(Signal& fired) {
  for (Signal*& watch : watches_) {
    if (watch == &fired) watch = nullptr;
  }
}

void NativeGuest::onWatchEvent(std::string_view, std::string_view token) {
  size_t slot = 0;
  for (const char letter : token) {
    // Tokens of scripts that hoard watches; nobody waits for those.
    if (letter < 'a' || letter > 'z') return;
    slot = slot * 26 + static_cast<size_t>(letter - 'a');
  }
  // One that was given up may still have been on its way.
  if (slot >= watches_.size() || watches_[slot] == nullptr) return;
  Signal& fired = *watches_[slot];
  fired.raise();
  if (&fired == &shutdownAsked_ || &fired == &poked_) attention_.raise();
}

void NativeGuest::onBroken(const std::string& sentence) {
  isBroken_ = true;
  registry_.statistics().broken++;
  if (registry_.news().isHeard()) registry_.news().say("broken " + std::to_string(domid()) + " " + sentence);
}

Frontend& NativeGuest::addFrontend(DeviceKind kind, uint32_t index) {
  unsettled_++;
  frontends_.push_back(std::make_unique<Frontend>(*this, kind, index));
  return *frontends_.back();
}

void NativeGuest::onSettled() {
  if (--unsettled_ == 0) settled_.raise();
}

bool NativeGuest::diesAt(std::string_view step) {
  const Text<48> fault("guest_dies_", step);
  if (registry_.faults().at(fault, domid()) == 0) return false;
  end(Shutdown::kCrash);
  return true;
}

void NativeGuest::end(Shutdown reason) {
  if (isEnded_) return;
  console_.notify();
  store_.notify();
  leave();
  machine_.shutdown(reason);
}

void NativeGuest::leave() {
  if (isEnded_) return;
  isEnded_ = true;
  store_.close();
  for (const auto& frontend : frontends_) frontend->disconnect();
  if (tap_) tap_->close();
  if (isReady_) registry_.removeReady(*this);
  isReady_ = false;
}

void NativeGuest::sayReady(std::string_view name, std::string_view nonce) {
  isReady_ = true;
  registry_.addReady(*this);
  if (!registry_.news().isHeard()) return;
  const Text<140> what(name.empty() ? "-" : name, " ", nonce.empty() ? "-" : nonce);
  say("ready", what);
}

void NativeGuest::say(std::string_view word, std::string_view rest) {
  const Text<200> line(word, " ", domid(), " ", rest, " ", machine_.nowNs());
  registry_.news().say(std::string(line.view()));
}

void NativeGuest::startWork(uint64_t firstNs) {
  nextWorkNs_ = firstNs;
  armTimer();
}

void NativeGuest::stopWork() {
  if (std::exchange(nextWorkNs_, 0) != 0) armTimer();
}

void NativeGuest::yield() {
  isYielding_ = true;
  armTimer();
}

void NativeGuest::armTimer() {
  if (isYielding_) return machine_.wakeAt(machine_.nowNs());
  const uint64_t lineNs = printer_ ? printer_->nextNs() : UINT64_MAX;
  machine_.wakeAt(std::min(lineNs, nextWorkNs_ != 0 ? nextWorkNs_ : UINT64_MAX));
}

void NativeGuest::startPrinting(uint64_t lines, uint64_t periodNs, uint64_t firstNs) {
  printer_->begin(lines, periodNs, firstNs);
  armTimer();
}

uint32_t NativeGuest::nextWork() {
  const uint64_t periodNs = registry_.workPeriodNs();
  const uint64_t nowNs = machine_.nowNs();
  // Who is late takes the next turn of its own phase: guests that wait for the same daemon stay spread.
  const uint64_t missed = (nowNs - nextWorkNs_) / periodNs;
  nextWorkNs_ += (missed + 1) * periodNs;
  registry_.statistics().missed += missed;
  armTimer();
  return ++workDone_;
}

void NativeGuest::endTurn() {
  if (isEnded_) return;
  store_.notify();
  console_.notify();
  if (store_.wantsTurn()) yield();
  try {
    if (script_.isDone()) script_.outcome();
    for (const auto& frontend : frontends_) frontend->check();
  } catch (const HostFailure&) {
    leave();
    throw;
  }
  if (isBroken_) end(Shutdown::kCrash);
}

std::vector<std::string> NativeGuest::describe() const {
  std::vector<std::string> lines;
  lines.push_back(std::string("ready ") + (isReady_ ? "1" : "0"));
  lines.push_back(std::string("ended ") + (isEnded_ ? "1" : "0"));
  lines.push_back("pending " + std::to_string(store_.pending()));
  lines.push_back("work " + std::to_string(workDone_));
  for (const auto& frontend : frontends_) lines.push_back(frontend->describe());
  return lines;
}

}  // namespace xcl::sim
