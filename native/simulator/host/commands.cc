#include "commands.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "machine.h"

namespace xcl::sim {

namespace {

[[noreturn]] void refuse(const std::string& sentence) { throw HostFailure{"command", EINVAL, sentence}; }

/** The words behind the first, `name=value` each. */
class Settings {
 public:
  Settings(const std::vector<std::string>& words, size_t from, const std::vector<std::string>& known) {
    for (size_t i = from; i < words.size(); i++) {
      const size_t cut = words[i].find('=');
      const std::string name = words[i].substr(0, cut);
      if (cut == std::string::npos || std::find(known.begin(), known.end(), name) == known.end()) {
        refuse("unknown word " + words[i]);
      }
      settings_.emplace_back(name, words[i].substr(cut + 1));
    }
  }

  std::optional<std::string> text(const std::string& name) const {
    for (const auto& [key, value] : settings_) {
      if (key == name) return value;
    }
    return std::nullopt;
  }

  std::optional<uint64_t> number(const std::string& name) const {
    const std::optional<std::string> found = text(name);
    if (!found) return std::nullopt;
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), value);
    if (error != std::errc() || end != found->data() + found->size()) refuse(name + " is no number: " + *found);
    return value;
  }

 private:
  std::vector<std::pair<std::string, std::string>> settings_;
};

/** SplitMix64: the same deaths for the same seed, everywhere. */
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t limit) {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t value = state_;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return (value ^ (value >> 31)) % limit;
  }

 private:
  uint64_t state_;
};

uint64_t cpuMs() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1000 + static_cast<uint64_t>(used.tv_nsec) / 1'000'000;
}

}  // namespace

std::vector<std::string> Commands::run(const std::vector<std::string>& words) {
  const std::string& name = words[0];
  if (name == "help") return help();
  if (name == "stats") return stats();
  if (name == "fault") return fault(words);
  if (name == "faults") return faults(words);
  if (name == "die") return die(words);
  if (name == "domid") return domid(words);
  if (name == "stop") {
    machine_.stop(0);
    return {};
  }
  return machine_.world().command(words);
}

std::vector<std::string> Commands::help() const {
  Lines lines = {
      "listen: this connection gets the news",
      "stats: lines `name number`",
      "fault NAME [errno=EINVAL] [domid=D] [after=0] [times=1]: calls of that name fail; times=0: until cleared;"
      " errno=SIGKILL: who calls is killed",
      "faults: the names there are, and what is set",
      "faults clear",
      "die count=N [seed=0] how=crash|poweroff|reboot|vanish: so many running guests, at once; answers who",
      "die domid=D how=crash|poweroff|reboot|vanish",
      "domid next=N: what the next domain is called, if N is free by then",
      "stop: ends the machine",
  };
  for (const std::string& line : machine_.world().commandNames()) lines.push_back(line);
  return lines;
}

std::vector<std::string> Commands::stats() const {
  uint64_t up = 0;
  const DomainTable& domains = machine_.domains();
  for (uint32_t domid = domains.atOrAfter(1); domid != DomainTable::kNone; domid = domains.atOrAfter(domid + 1)) {
    if (domains.find(domid)->isUp()) up++;
  }
  const auto line = [](const char* name, uint64_t value) { return std::string(name) + " " + std::to_string(value); };
  Lines lines = {
      line("domains", domains.count()),
      line("guests", up),
      line("crashed", machine_.crashed()),
      line("cpuMs", cpuMs()),
      line("freeMemoryKiB", machine_.freeMemory().kib()),
      line("pages", machine_.pages().taken()),
      line("portsHeld", machine_.handles().portsHeld()),
      line("pagesHeld", machine_.handles().pagesHeld()),
      line("hypercalls", machine_.hypercalls().count()),
      line("listings", machine_.hypercalls().listings()),
      line("events", machine_.eventsDelivered()),
  };
  for (const std::string& said : machine_.world().command({"stats"})) lines.push_back(said);
  return lines;
}

std::vector<std::string> Commands::fault(const Words& words) {
  if (words.size() < 2) refuse("fault needs a name; `faults` lists them");
  const Settings settings(words, 2, {"errno", "domid", "after", "times"});
  Fault made;
  made.name = words[1];
  const std::string error = settings.text("errno").value_or("EINVAL");
  made.error = errnoOf(error);
  if (made.error == 0) refuse("no errno is called " + error);
  const uint64_t domid = settings.number("domid").value_or(Faults::kAnyDomid);
  if (domid != Faults::kAnyDomid && domid >= kDomidFirstReserved) refuse("no domid: " + std::to_string(domid));
  made.domid = static_cast<uint32_t>(domid);
  made.after = settings.number("after").value_or(0);
  const uint64_t times = settings.number("times").value_or(1);
  made.times = times == 0 ? UINT64_MAX : times;
  machine_.faults().set(std::move(made));
  return {};
}

std::vector<std::string> Commands::faults(const Words& words) {
  if (words.size() == 1) return machine_.faults().describe();
  if (words.size() != 2 || words[1] != "clear") refuse("faults takes nothing or `clear`");
  machine_.faults().clear();
  return {};
}

std::vector<std::string> Commands::die(const Words& words) {
  const Settings settings(words, 1, {"count", "seed", "domid", "how"});
  const std::string how = settings.text("how").value_or("");
  if (how != "crash" && how != "poweroff" && how != "reboot" && how != "vanish") refuse("how does it die?");
  std::vector<Domain*> chosen;
  if (const std::optional<uint64_t> domid = settings.number("domid")) {
    Domain* domain = machine_.domains().find(*domid);
    if (domain == nullptr || *domid == kDom0) refuse("there is no guest " + std::to_string(*domid));
    chosen.push_back(domain);
  } else {
    const DomainTable& domains = machine_.domains();
    for (uint32_t next = domains.atOrAfter(1); next != DomainTable::kNone; next = domains.atOrAfter(next + 1)) {
      if (domains.find(next)->isUp()) chosen.push_back(domains.find(next));
    }
    const uint64_t count = settings.number("count").value_or(0);
    if (count == 0 || count > chosen.size()) refuse(std::to_string(chosen.size()) + " guests are running");
    Dice dice(settings.number("seed").value_or(0));
    for (size_t i = 0; i < count; i++) std::swap(chosen[i], chosen[i + dice.below(chosen.size() - i)]);
    chosen.resize(count);
  }
  std::string domids;
  for (Domain* domain : chosen) {
    domids += (domids.empty() ? "" : " ") + std::to_string(domain->domid());
    end(*domain, how);
  }
  return {domids};
}

std::vector<std::string> Commands::domid(const Words& words) {
  const Settings settings(words, 1, {"next"});
  const uint64_t next = settings.number("next").value_or(0);
  if (next == 0 || next >= kDomidFirstReserved) refuse("domid: say `domid next=N`, N from 1 to 32751");
  machine_.domains().continueAt(static_cast<uint32_t>(next));
  return {};
}

void Commands::end(Domain& domain, const std::string& how) {
  if (how == "vanish") return domain.kill();
  domain.shutdown(how == "crash" ? Shutdown::kCrash : how == "reboot" ? Shutdown::kReboot : Shutdown::kPoweroff);
}

}  // namespace xcl::sim
