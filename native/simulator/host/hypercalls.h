// What handles ask for: reads a request, checks it, does it, answers. A refusal is an answer; a request that
// breaks the protocol ends its handle.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain_builder.h"
#include "handle.h"

namespace xcl::sim {

class Hypercalls {
 public:
  explicit Hypercalls(Machine& machine);

  /** Serves the request that waits. @returns false: the handle has hung up or broken the protocol */
  bool serve(Handle& handle);
  uint64_t count() const { return count_; }
  /** Those that asked for more than one domain. */
  uint64_t listings() const { return listings_; }

 private:
  struct Answer {
    uint64_t results[4]{};
    std::vector<std::byte> payload;
    std::vector<int> descriptors;

    void clear() {
      std::fill(std::begin(results), std::end(results), 0);
      payload.clear();
      descriptors.clear();
    }
  };
  struct Call {
    void (Hypercalls::*run)(Handle&, const Request&, std::string_view, Answer&) = nullptr;
    /** Only on a handle after kOpenMachine. */
    bool needsEvents = false;
    bool hasText = false;
  };
  /** The request makes no sense. */
  struct Malformed {};

  static const Call& callOf(Op op);
  static bool send(int fd, int error, const Answer& answer);
  static void killCaller(int fd);
  /** @throws HostFailure `op` EINVAL when there are more or fewer: one of them holds a NUL */
  static std::vector<std::string> stringsIn(const char* op, std::string_view text, size_t count);
  static CreateArgs argsIn(std::string_view& text);

  Domain& domainOf(const char* op, uint32_t domid, const char* tried);

  void hello(Handle&, const Request&, std::string_view, Answer&);
  void openMachine(Handle&, const Request&, std::string_view, Answer&);
  void host(Handle&, const Request&, std::string_view, Answer&);
  void list(Handle&, const Request&, std::string_view, Answer&);
  void changed(Handle&, const Request&, std::string_view, Answer&);
  void pause(Handle&, const Request&, std::string_view, Answer&);
  void unpause(Handle&, const Request&, std::string_view, Answer&);
  void destroy(Handle&, const Request&, std::string_view, Answer&);
  void readConsole(Handle&, const Request&, std::string_view, Answer&);
  void create(Handle&, const Request&, std::string_view, Answer&);
  void prepare(Handle&, const Request&, std::string_view, Answer&);
  void build(Handle&, const Request&, std::string_view, Answer&);
  void mapGrant(Handle&, const Request&, std::string_view, Answer&);
  void mapFrame(Handle&, const Request&, std::string_view, Answer&);
  void mapSelf(Handle&, const Request&, std::string_view, Answer&);
  void unmap(Handle&, const Request&, std::string_view, Answer&);
  void bind(Handle&, const Request&, std::string_view, Answer&);
  void bindVirq(Handle&, const Request&, std::string_view, Answer&);
  void unbind(Handle&, const Request&, std::string_view, Answer&);
  void isBound(Handle&, const Request&, std::string_view, Answer&);
  void joinBridge(Handle&, const Request&, std::string_view, Answer&);
  void openDisk(Handle&, const Request&, std::string_view, Answer&);
  void closeDisk(Handle&, const Request&, std::string_view, Answer&);
  void reopenMachine(Handle&, const Request&, std::string_view, Answer&);
  void adoptPort(Handle&, const Request&, std::string_view, Answer&);
  void giveDescriptors(const Handle::Events& events, Answer& answer);

  Machine& machine_;
  DomainBuilder builder_;
  std::vector<std::byte> message_;
  std::vector<DomainFacts> facts_;
  Answer answer_;
  uint64_t count_ = 0;
  uint64_t listings_ = 0;
};

}  // namespace xcl::sim
