#include "options.h"

#include <charconv>
#include <stdexcept>

#include "domain.h"

namespace xcl::sim {

namespace {

constexpr uint64_t kMiBKiB = 1024;
// 32,000 guests of 32 MiB.
constexpr uint64_t kDefaultMemoryMiB = 1 << 20;
constexpr uint64_t kLeastMemoryMiB = 64;
constexpr uint64_t kMostMemoryMiB = 1 << 24;

uint64_t numberOf(const std::string& option, const std::string& text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw std::invalid_argument(option + " takes a number from " + std::to_string(least) + " to " +
                                std::to_string(most) + ", not " + text);
  }
  return value;
}

}  // namespace

const char kUsage[] =
    "usage: xcl-simulator --run-dir DIR [OPTION]…\n"
    "A simulated Xen machine; its sockets are DIR/simulator.sock and DIR/control.sock.\n"
    "  --xen 4.17|4.21    the release to behave as; 4.21 says which domains have changed (default 4.17)\n"
    "  --memory-mib N     memory of the machine (default 1048576)\n"
    "  --first-domid N    number of the first guest (default 1)\n"
    "  --log FILE         appends what Xen says on its console\n"
    "  --detached         goes on when the process that started it ends\n"
    "  --help\n";

Options parseOptions(std::span<const char* const> words) {
  Options options;
  options.version = "4.17.0-simulated";
  options.memoryKiB = kDefaultMemoryMiB * kMiBKiB;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string name = words[i];
    const auto value = [&] {
      if (++i == words.size()) throw std::invalid_argument(name + " takes a value");
      return std::string(words[i]);
    };
    if (name == "--help") {
      options.wantsHelp = true;
    } else if (name == "--detached") {
      options.isDetached = true;
    } else if (name == "--run-dir") {
      options.runDir = value();
    } else if (name == "--log") {
      options.logFile = value();
    } else if (name == "--memory-mib") {
      options.memoryKiB = numberOf(name, value(), kLeastMemoryMiB, kMostMemoryMiB) * kMiBKiB;
    } else if (name == "--first-domid") {
      options.firstDomid = static_cast<uint32_t>(numberOf(name, value(), 1, kDomidFirstReserved - 1));
    } else if (name == "--xen") {
      const std::string release = value();
      if (release != "4.17" && release != "4.21") {
        throw std::invalid_argument("--xen takes 4.17 or 4.21, not " + release);
      }
      options.version = release + ".0-simulated";
      options.tellsChanged = release == "4.21";
    } else {
      throw std::invalid_argument("unknown option " + name);
    }
  }
  if (options.runDir.empty() && !options.wantsHelp) throw std::invalid_argument("--run-dir is needed");
  return options;
}

}  // namespace xcl::sim
