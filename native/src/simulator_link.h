// Wraps one connection to a simulated machine (native/simulator/protocol.h): a call at a time, the caller
// waits. What the machine keeps for the connection goes when it is closed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../simulator/protocol.h"
#include "unique_fd.h"

namespace xcl {

class SimulatorLink {
 public:
  using Args = std::array<uint64_t, 4>;

  struct Answer {
    Args results{};
    /** Valid until the next call. */
    std::span<const std::byte> payload;
    std::vector<UniqueFd> descriptors;
  };

  /** @throws Failure when nobody listens there, or a machine of another version does (EPROTO) */
  explicit SimulatorLink(const std::string& socketPath);
  /** A connection that the program before had in this process. */
  explicit SimulatorLink(UniqueFd inherited);
  SimulatorLink(const SimulatorLink&) = delete;
  SimulatorLink& operator=(const SimulatorLink&) = delete;

  int fd() const { return fd_.get(); }
  /** The machine's process has ended; every call fails from now on. */
  bool isGone() const { return isGone_; }

  /**
   * @param domid whose call it is, for the sentence of a failure; 0 is sent where there is none
   * @throws Failure as the machine fails; `simulator` EPIPE when the machine has gone
   */
  Answer call(sim::Op op, std::optional<uint32_t> domid = {}, const Args& args = {}, std::string_view text = {});

 private:
  void send(const sim::Request& request, std::string_view text);
  size_t receive(sim::Reply& reply, std::vector<UniqueFd>& descriptors);
  [[noreturn]] void fail(int error, size_t payloadBytes, std::optional<uint32_t> domid) const;
  void awaitReadable() const;
  [[noreturn]] void failGone();

  UniqueFd fd_;
  std::vector<std::byte> payload_;
  bool isGone_ = false;
};

}  // namespace xcl
