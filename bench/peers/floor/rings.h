// Rings of the floor: the pages and event channels of introduced domains, through the simulated machine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../../../native/src/machine_simulator.h"

namespace xcl::peers {

class Rings {
 public:
  /** @throws Failure when there is no machine */
  explicit Rings(const std::string& simulatorSocket) : machine_(simulatorSocket) {}

  /** Readable when a guest has notified. */
  int fd() const { return machine_.pendingFd(); }
  /** Answers whoever has. */
  void serve();
  /** @param payload of INTRODUCE */
  void introduce(std::string_view payload);
  /** @param payload of RELEASE */
  void release(std::string_view payload);

 private:
  struct Ring {
    std::unique_ptr<MappedPage> page;
    /** The beginning of a message whose rest has not come. */
    std::string in;
    /** What the ring had no room for. */
    std::string out;
  };

  void answer(uint32_t port, Ring& ring);

  MachineSimulator machine_;
  /** By local port. */
  std::vector<std::unique_ptr<Ring>> rings_;
  /** Local ports by domid. */
  std::map<uint32_t, uint32_t> ports_;
};

}  // namespace xcl::peers
