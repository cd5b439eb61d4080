// What a stock daemon has of the simulated machine: one connection for pages and event channels, made when it
// is first needed, and one for questions about domains. XCL_SIMULATOR says where the machine is.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "../../../native/src/failure.h"
#include "../../../native/src/machine_simulator.h"
#include "../../../native/src/simulator_link.h"
#include "domain_list.h"
#include "event_handles.h"

namespace xcl::stock {

class StockHost {
 public:
  /** The process's own. @throws Failure when there is no machine */
  static StockHost& instance();

  MachineSimulator& machine() { return machine_; }
  DomainList& domains() { return domains_; }
  EventHandles& events() { return events_; }
  /** For a question that nothing here answers. */
  SimulatorLink& link() { return link_; }

  /** Keeps a page until `drop`. @returns where it is */
  void* keep(std::unique_ptr<MappedPage> page);
  /** Gives one mapping of the page at that address back. @returns false: there is none */
  bool drop(void* address);
  /** The XenStore page of dom0's kernel, and the port that it waits at. */
  void* ownPage();
  uint32_t ownPort();

 private:
  StockHost();
  void mapSelf();

  MachineSimulator machine_;
  SimulatorLink link_;
  DomainList domains_;
  EventHandles events_;
  /** By address; a page may be mapped more than once. */
  std::unordered_multimap<void*, std::unique_ptr<MappedPage>> pages_;
  void* ownPage_ = nullptr;
  uint32_t ownPort_ = 0;
};

/** Runs the body of a call of libxen; what fails sets errno, as a call of the hypervisor does. */
template <typename Result, typename Body>
Result asked(Result failed, Body body) {
  try {
    return body(StockHost::instance());
  } catch (const Failure& failure) {
    errno = failure.error();
    return failed;
  }
}

/** The same of a call that is no question about domains. */
template <typename Result, typename Body>
Result called(Result failed, Body body) {
  return asked(failed, [&](StockHost& host) {
    host.domains().forget();
    return body(host);
  });
}

}  // namespace xcl::stock
