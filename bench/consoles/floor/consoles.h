// The floor's consoles: rings of guests, and the log of each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../../../native/src/machine_simulator.h"
#include "../../../native/src/shared_ring.h"
#include "../../../native/src/unique_fd.h"

namespace xcl::bench {

class Consoles {
 public:
  /** @throws Failure when there is no machine */
  Consoles(const std::string& simulatorSocket, std::string logDir)
      : machine_(simulatorSocket), logDir_(std::move(logDir)) {}

  /** Serves a guest; its log is LOGDIR/guest-NAME.log. @throws Failure, std::system_error */
  void add(uint32_t domid, uint32_t remotePort, const std::string& name);
  /** For ever. @throws std::system_error when a log cannot be written */
  void run();

 private:
  struct Console {
    std::unique_ptr<MappedPage> page;
    UniqueFd log;
  };

  void serve(uint32_t port, const Console& console);

  MachineSimulator machine_;
  std::string logDir_;
  /** By local port; elsewhere without a page. */
  std::vector<Console> consoles_;
  std::array<char, kConsoleOutput.size> bytes_{};
};

}  // namespace xcl::bench
