#include "host_devices.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "../../../src/unique_fd.h"

namespace xcl::sim {

namespace {

/** As many as a Linux bridge takes (BR_MAX_PORTS - 1). */
constexpr uint32_t kBridgePorts = 1023;
constexpr uint32_t kLoopMajor = 7;
constexpr uint32_t kMinorBits = 20;
/** Loop devices of this machine have minors that those of the host it runs on, which are disks too, do not reach. */
constexpr uint32_t kFirstMinor = 1U << (kMinorBits - 1);
constexpr uint64_t kSectorBytes = 512;

[[noreturn]] void failJoin(int error, const std::string& interface, const std::string& bridge) {
  throw HostFailure{"join_bridge", error, "cannot make " + interface + " a port of " + bridge};
}

[[noreturn]] void failOpen(int error, const std::string& path) {
  throw HostFailure{"open_disk", error, "cannot open " + path + " as a disk"};
}

}  // namespace

HostDevices::HostDevices() : loopMinors_(kFirstMinor, 1U << kMinorBits) { bridges_.emplace("xenbr0", 0); }

void HostDevices::joinBridge(const std::string& interface, const std::string& bridge) {
  const auto port = interfaces_.find(interface);
  const auto joined = bridges_.find(bridge);
  if (port == interfaces_.end() || joined == bridges_.end()) failJoin(ENODEV, interface, bridge);
  if (!port->second.empty()) failJoin(EBUSY, interface, bridge);
  if (joined->second >= kBridgePorts) failJoin(EXFULL, interface, bridge);
  joined->second++;
  bridgePorts_++;
  port->second = bridge;
}

uint32_t HostDevices::openDisk(const std::string& path, bool isReadOnly) {
  // O_NONBLOCK: a fifo, which is no disk, must not hold up the machine.
  const UniqueFd file(open(path.c_str(), (isReadOnly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0) failOpen(errno, path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) failOpen(errno, path);
  if (S_ISDIR(status.st_mode)) failOpen(EISDIR, path);
  if (S_ISREG(status.st_mode)) {
    const uint32_t minor = loopMinors_.take();
    if (minor == loopMinors_.limit()) failOpen(ENOSPC, path);
    const uint32_t device = kLoopMajor << kMinorBits | minor;
    disks_[device] = {static_cast<uint64_t>(status.st_size) / kSectorBytes, 1, true, path};
    disksOpen_++;
    return device;
  }
  if (!S_ISBLK(status.st_mode)) failOpen(ENOTBLK, path);
  uint64_t bytes = 0;
  if (ioctl(file.get(), BLKGETSIZE64, &bytes) != 0) failOpen(errno, path);
  const uint32_t device = major(status.st_rdev) << kMinorBits | minor(status.st_rdev);
  Disk& disk = disks_[device];
  disk.sectors = bytes / kSectorBytes;
  disk.users++;
  disksOpen_++;
  return device;
}

void HostDevices::closeDisk(uint32_t device, const std::string& path) {
  const auto found = disks_.find(device);
  if (found == disks_.end() || (found->second.isLoop && found->second.path != path)) return;
  disksOpen_--;
  if (--found->second.users > 0) return;
  if (found->second.isLoop) loopMinors_.giveBack(device & ((1U << kMinorBits) - 1));
  disks_.erase(found);
}

void HostDevices::addBridge(const std::string& name) {
  if (!bridges_.emplace(name, 0).second) throw HostFailure{"add_bridge", EEXIST, "there is a bridge " + name};
}

void HostDevices::addInterface(const std::string& name) { interfaces_.emplace(name, std::string()); }

void HostDevices::removeInterface(const std::string& name) {
  const auto found = interfaces_.find(name);
  if (found == interfaces_.end()) return;
  if (!found->second.empty()) {
    bridges_[found->second]--;
    bridgePorts_--;
  }
  interfaces_.erase(found);
}

bool HostDevices::findDisk(uint32_t device, uint64_t& sectors) const {
  const auto found = disks_.find(device);
  if (found == disks_.end()) return false;
  sectors = found->second.sectors;
  return true;
}

}  // namespace xcl::sim
