// What dom0 has beside its guests: bridges, the interfaces of network back ends, disks behind block ones.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "../guest_machine.h"
#include "../lowest_free.h"

namespace xcl::sim {

class HostDevices final : public Dom0Devices {
 public:
  HostDevices();

  void joinBridge(const std::string& interface, const std::string& bridge) override;
  uint32_t openDisk(const std::string& path, bool isReadOnly) override;
  void closeDisk(uint32_t device, const std::string& path) override;

  /** EEXIST when there is one of that name. */
  void addBridge(const std::string& name);
  void addInterface(const std::string& name);
  /** It leaves its bridge. */
  void removeInterface(const std::string& name);
  /** Of a disk that is open. @returns false when there is none of that number */
  bool findDisk(uint32_t device, uint64_t& sectors) const;
  /** Openings that no close has answered yet. */
  uint64_t disksOpen() const { return disksOpen_; }
  /** Interfaces that are ports of a bridge. */
  uint64_t bridgePorts() const { return bridgePorts_; }

 private:
  struct Disk {
    uint64_t sectors = 0;
    uint32_t users = 0;
    bool isLoop = false;
    /** Of the file behind a loop device. */
    std::string path;
  };

  /** Ports in use, by name. */
  std::unordered_map<std::string, uint32_t> bridges_;
  /** Bridge of each interface; empty: none. */
  std::unordered_map<std::string, std::string> interfaces_;
  std::unordered_map<uint32_t, Disk> disks_;
  LowestFree loopMinors_;
  uint64_t disksOpen_ = 0;
  uint64_t bridgePorts_ = 0;
};

}  // namespace xcl::sim
