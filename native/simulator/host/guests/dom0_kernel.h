// Dom0's kernel as a guest sees it: xenbus over dom0's own store ring, and the back ends of network cards
// and disks. Two watches announce all devices; what an event costs depends on its device alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../guest_machine.h"
#include "../lowest_free.h"
#include "backend.h"
#include "guest_registry.h"
#include "host_devices.h"
#include "store_session.h"
#include "task.h"

namespace xcl::sim {

class Dom0Kernel final : public Guest, private StoreListener {
 public:
  Dom0Kernel(GuestRegistry& registry, HostDevices& devices, GuestMachine& machine);
  ~Dom0Kernel() override;
  Dom0Kernel(const Dom0Kernel&) = delete;
  Dom0Kernel& operator=(const Dom0Kernel&) = delete;

  void boot() override;
  void onEvent(uint32_t port) override;
  void onTimer() override;
  void onBound(uint32_t port) override;

  // For the back ends.

  GuestMachine& machine() { return machine_; }
  StoreSession& store() { return store_; }
  HostDevices& devices() { return devices_; }
  /** Number of a watch on a front end, which is its token, too. */
  uint32_t takeSlot(Backend& backend);
  void giveSlotBack(uint32_t slot);
  /** It has ended; it is destroyed at the end of the turn. */
  void onEnded(Backend& backend) { ended_.push_back(&backend); }
  /** It ends at something that nobody thought of. */
  void onFailed(Backend& backend, const std::string& why);

 private:
  using Backends = std::unordered_map<uint64_t, std::unique_ptr<Backend>>;

  void onWatchEvent(std::string_view path, std::string_view token) override;
  void onBroken(const std::string& sentence) override;
  /** Of a daemon that has come to the other end of the ring. */
  void begin();
  void serve();
  void forgetAll();
  Task watchRoot(DeviceKind kind);
  /** What was there before: a daemon that has kept the store, with devices that nobody serves yet. */
  Task addAll(DeviceKind kind);
  Task checkRoot(DeviceKind kind);
  /** Of a directory of any size. */
  Task listAll(std::string_view path, std::vector<std::string>& names);
  void onBackendEvent(DeviceKind kind, std::string_view rest);
  void add(DeviceKind kind, uint32_t domid, uint32_t index);
  void reap();

  GuestRegistry& registry_;
  HostDevices& devices_;
  GuestMachine& machine_;
  StoreSession store_;
  /** Whoever speaks first is one, too. */
  bool hasNewDaemon_ = true;
  /** How many daemons there have been. */
  uint32_t daemons_ = 0;
  Backends backends_;
  /** First of a domain's back ends of one kind; the others hang on it. */
  std::unordered_map<uint32_t, Backend*> ofDomain_;
  std::vector<Backend*> slots_;
  LowestFree freeSlots_;
  std::vector<Backend*> ended_;
  Task roots_[2];
  Task rootChecks_[2];
};

}  // namespace xcl::sim
