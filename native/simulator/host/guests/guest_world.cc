#include "guest_world.h"

#include <algorithm>
#include <cerrno>

#include "../../../src/shared_ring.h"
#include "ring_words.h"
#include "text.h"

namespace xcl::sim {

namespace {

HostFailure refused(const std::string& sentence) { return {"command", EINVAL, sentence}; }

constexpr double kMaxRate = 1e6;

/** `name=2.5`. @returns false when the word is none of that name or no number */
template <typename Number>
bool parseSetting(std::string_view word, std::string_view name, Number& number) {
  if (!word.starts_with(name) || !word.substr(name.size()).starts_with('=')) return false;
  const std::string_view value = word.substr(name.size() + 1);
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  return failure == std::errc() && end == value.data() + value.size();
}

}  // namespace

std::unique_ptr<Guest> World::makeDom0(GuestMachine& machine) {
  machine_ = &machine;
  return std::make_unique<Dom0Kernel>(registry_, devices_, machine);
}

std::unique_ptr<Guest> World::makeGuest(GuestMachine& machine) {
  return std::make_unique<NativeGuest>(registry_, machine);
}

std::vector<std::string> World::command(const std::vector<std::string>& words) {
  const std::string& name = words.front();
  if (name == "stats") return statistics();
  if (name == "work") return work(words);
  if (name == "guest") return describe(words);
  if (name == "tap") return tap(words);
  if (name == "ring") return ring(words);
  if (name == "print") return print(words);
  if (name == "printed") return printed(words);
  if (name == "printing") return printing();
  if (name == "bridge") {
    if (words.size() != 3 || words[1] != "add") throw refused("bridge: say `bridge add NAME`");
    devices_.addBridge(words[2]);
    return {};
  }
  throw refused(name + ": no such command");
}

std::vector<std::string> World::commandNames() const {
  return {"work rate=R", "work stop", "bridge add NAME", "guest DOMID",
          "print lines=N [rate=R]: each guest with script=print begins anew with its line 1; no rate: at once",
          "print stop",
          "printed [DOMID]: domid, lines, bytes and CRC-32 of what each of them has put into its ring since",
          "printing: of all of them, lines and bytes so far, bytes that nobody has taken, lines to come",
          "tap DOMID PATH: who connects to the socket there speaks for a guest with script=tap",
          "ring DOMID [NAME=NUMBER…]: words of its store ring; what is set, both sides are told"};
}

std::vector<std::string> World::statistics() {
  const Statistics& all = registry_.statistics();
  const std::pair<const char*, uint64_t> numbers[] = {
      {"ready", all.ready},
      {"requests", all.requests},
      {"replies", all.replies},
      {"lost", all.lost},
      {"abandoned", all.abandoned},
      {"inFlight", all.inFlight()},
      {"missed", all.missed},
      {"lines", all.lines},
      {"bytes", all.bytes},
      {"vifConnected", all.vifConnected},
      {"vbdConnected", all.vbdConnected},
      {"broken", all.broken},
      {"disksOpen", devices_.disksOpen()},
      {"bridgePorts", devices_.bridgePorts()},
  };
  std::vector<std::string> lines;
  for (const auto& [name, number] : numbers) lines.push_back(std::string(name) + " " + std::to_string(number));
  return lines;
}

std::vector<std::string> World::work(const std::vector<std::string>& words) {
  double rate = 0;
  if (words.size() != 2 || (words[1] != "stop" && !parseSetting(words[1], "rate", rate))) {
    throw refused("work: say `work rate=R`, R times a second, or `work stop`");
  }
  if (rate < 0 || rate > kMaxRate) throw refused("work: a rate is at most 1000000 a second");
  registry_.work(rate, machine_->nowNs());
  return {};
}

std::vector<std::string> World::describe(const std::vector<std::string>& words) {
  if (words.size() != 2) throw refused("guest: say `guest DOMID`");
  return guestOf(words).describe();
}

std::vector<std::string> World::tap(const std::vector<std::string>& words) {
  if (words.size() != 3) throw refused("tap: say `tap DOMID PATH`");
  Tap* const tap = guestOf(words).tap();
  if (tap == nullptr) throw refused("tap: guest " + words[1] + " has no script=tap on its command line");
  tap->listen(words[2]);
  return {};
}

std::vector<std::string> World::print(const std::vector<std::string>& words) {
  if (words.size() == 2 && words[1] == "stop") {
    for (NativeGuest* const guest : registry_.printers()) guest->printer()->stop();
    return {};
  }
  uint64_t lines = 0;
  double rate = 0;
  const bool isUnderstood = (words.size() == 2 || (words.size() == 3 && parseSetting(words[2], "rate", rate))) &&
                            parseSetting(words[1], "lines", lines);
  if (!isUnderstood) throw refused("print: say `print lines=N`, `print lines=N rate=R` or `print stop`");
  if (rate < 0 || rate > kMaxRate) throw refused("print: a rate is at most 1000000 a second");
  for (const NativeGuest* const guest : registry_.printers()) {
    if (guest->console().isDrained()) continue;
    throw refused("print: nobody has read what guest " + std::to_string(guest->domid()) + " has printed");
  }
  registry_.print(lines, rate, machine_->nowNs());
  return {};
}

std::vector<std::string> World::printed(const std::vector<std::string>& words) {
  std::vector<NativeGuest*> guests = registry_.printers();
  if (words.size() > 1) {
    if (guestOf(words).printer() == nullptr) throw refused("printed: guest " + words[1] + " has no script=print");
    guests = {&guestOf(words)};
  }
  std::vector<std::string> lines;
  for (const NativeGuest* const guest : guests) {
    const Printed& printed = guest->printer()->printed();
    lines.push_back(std::to_string(guest->domid()) + " " + std::to_string(printed.lines) + " " +
                    std::to_string(printed.bytes) + " " + std::to_string(printed.checksum.value()));
  }
  return lines;
}

std::vector<std::string> World::printing() {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  uint64_t unread = 0;
  uint64_t left = 0;
  for (const NativeGuest* const guest : registry_.printers()) {
    lines += guest->printer()->printed().lines;
    bytes += guest->printer()->printed().bytes;
    unread += guest->console().unread();
    left += guest->printer()->left();
  }
  return {"lines " + std::to_string(lines), "bytes " + std::to_string(bytes), "unread " + std::to_string(unread),
          "left " + std::to_string(left)};
}

std::vector<std::string> World::ring(const std::vector<std::string>& words) {
  if (words.size() < 2) throw refused("ring: say `ring DOMID` or `ring DOMID NAME=NUMBER…`");
  NativeGuest& guest = guestOf(words);
  GuestMachine& machine = guest.machine();
  std::byte* const page = machine.page(machine.start().storePfn);
  for (size_t i = 2; i < words.size(); i++) {
    const std::string_view word = words[i];
    const size_t cut = std::min(word.find('='), word.size());
    const std::optional<uint32_t> offset = ringWordNamed(word.substr(0, cut));
    uint32_t value = 0;
    if (!offset || !parseNumber(word.substr(std::min(cut + 1, word.size())), value)) {
      throw refused("ring: " + words[i] + " sets no word of the ring");
    }
    storeShared(page, *offset, value);
  }
  if (words.size() > 2) {
    machine.notify(machine.start().storePort);
    guest.yield();
  }
  return ringWords(page);
}

NativeGuest& World::guestOf(const std::vector<std::string>& words) {
  uint32_t domid = 0;
  NativeGuest* const guest = parseNumber(words[1], domid) ? registry_.find(domid) : nullptr;
  if (guest == nullptr) throw refused(words[0] + ": there is no guest " + words[1]);
  return *guest;
}

std::unique_ptr<GuestWorld> makeGuestWorld(GuestNews& news, FaultPoints& faults, EventLoop& loop) {
  return std::make_unique<World>(news, faults, loop);
}

}  // namespace xcl::sim
