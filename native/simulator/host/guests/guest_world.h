// The world of guests as the machine sees it: makes them and passes commands on to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../guest_machine.h"
#include "dom0_kernel.h"
#include "guest_registry.h"
#include "host_devices.h"
#include "native_guest.h"

namespace xcl::sim {

class World final : public GuestWorld {
 public:
  World(GuestNews& news, FaultPoints& faults, EventLoop& loop) : registry_(news, faults, loop) {}

  std::unique_ptr<Guest> makeDom0(GuestMachine& machine) override;
  std::unique_ptr<Guest> makeGuest(GuestMachine& machine) override;
  Dom0Devices& dom0Devices() override { return devices_; }
  std::vector<std::string> command(const std::vector<std::string>& words) override;
  std::vector<std::string> commandNames() const override;

 private:
  std::vector<std::string> statistics();
  std::vector<std::string> work(const std::vector<std::string>& words);
  std::vector<std::string> describe(const std::vector<std::string>& words);
  std::vector<std::string> tap(const std::vector<std::string>& words);
  std::vector<std::string> print(const std::vector<std::string>& words);
  std::vector<std::string> printed(const std::vector<std::string>& words);
  std::vector<std::string> printing();
  std::vector<std::string> ring(const std::vector<std::string>& words);
  NativeGuest& guestOf(const std::vector<std::string>& words);

  GuestRegistry registry_;
  HostDevices devices_;
  /** Dom0's, for the time. */
  GuestMachine* machine_ = nullptr;
};

}  // namespace xcl::sim
