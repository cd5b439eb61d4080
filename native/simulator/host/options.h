// The command line of xcl-simulator.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace xcl::sim {

struct Options {
  std::string runDir;
  /** `4.17.0-simulated`. */
  std::string version;
  bool tellsChanged = false;
  uint64_t memoryKiB = 0;
  uint32_t firstDomid = 1;
  /** Empty: no log. */
  std::string logFile;
  bool isDetached = false;
  bool wantsHelp = false;
};

extern const char kUsage[];

/** @throws std::invalid_argument with a sentence for the person */
Options parseOptions(std::span<const char* const> words);

}  // namespace xcl::sim
