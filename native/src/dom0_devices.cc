#include "dom0_devices.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "c_text.h"
#include "errors.h"
#include "unique_fd.h"

namespace xcl {

namespace {

constexpr const char* kJoinBridge = "join_bridge";
constexpr const char* kOpenDisk = "open_disk";
constexpr const char* kCloseDisk = "close_disk";
/** Others may take the loop device that was free a moment ago. */
constexpr int kAttempts = 100;

// --- bridges --------------------------------------------------------------------------------------

ifreq requestAbout(const std::string& name, const std::string& tried) {
  ifreq request{};
  // A longer name is nobody's.
  if (name.empty() || name.size() >= IFNAMSIZ) throw Failure(kJoinBridge, ENODEV, tried);
  std::memcpy(request.ifr_name, name.data(), name.size());
  return request;
}

Napi::Value joinBridge(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string interface = cTextFrom(info[0], kJoinBridge, "the interface's name");
    const std::string bridge = cTextFrom(info[1], kJoinBridge, "the bridge's name");
    const std::string tried = "cannot make " + interface + " a port of " + bridge;
    UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto ask = [&](unsigned long what, ifreq& request) {
      if (ioctl(fd.get(), what, &request) != 0) throw Failure(kJoinBridge, errno, tried);
    };
    if (!fd.isOpen()) throw Failure(kJoinBridge, errno, tried);
    ifreq port = requestAbout(interface, tried);
    ask(SIOCGIFINDEX, port);
    const int index = port.ifr_ifindex;

    // A bridge takes over the smallest mtu of its ports: a new one must not change it for the others.
    ifreq master = requestAbout(bridge, tried);
    ask(SIOCGIFMTU, master);
    const int mtu = master.ifr_mtu;
    ask(SIOCGIFMTU, port);
    if (port.ifr_mtu != mtu) {
      port.ifr_mtu = mtu;
      ask(SIOCSIFMTU, port);
    }

    master.ifr_ifindex = index;
    if (ioctl(fd.get(), SIOCBRADDIF, &master) != 0) {
      // An interface of that name is there, and is no bridge.
      throw Failure(kJoinBridge, errno == EOPNOTSUPP ? ENODEV : errno, tried);
    }
    ask(SIOCGIFFLAGS, port);
    port.ifr_flags = static_cast<short>(port.ifr_flags | IFF_UP);
    ask(SIOCSIFFLAGS, port);
    return info.Env().Undefined();
  });
}

// --- disks ----------------------------------------------------------------------------------------

std::string loopPath(uint32_t minor) { return "/dev/loop" + std::to_string(minor); }

/** What a loop device is marked with; the end of a path says most. */
std::string labelOf(const std::string& path) {
  constexpr size_t room = LO_NAME_SIZE - 1;
  return path.size() <= room ? path : path.substr(path.size() - room);
}

/** Binds the file to the loop device. @returns false when somebody else was faster */
bool bindLoop(int loop, int file, bool isReadOnly, const std::string& label, const std::string& tried) {
  loop_config config{};
  config.fd = static_cast<__u32>(file);
  if (isReadOnly) config.info.lo_flags = LO_FLAGS_READ_ONLY;
  std::memcpy(config.info.lo_file_name, label.data(), label.size());
  if (ioctl(loop, LOOP_CONFIGURE, &config) == 0) return true;
  if (errno == EBUSY) return false;
  if (errno != EINVAL && errno != ENOTTY) throw Failure(kOpenDisk, errno, tried);

  // Before Linux 5.8 it takes two steps.
  if (ioctl(loop, LOOP_SET_FD, file) != 0) {
    if (errno == EBUSY) return false;
    throw Failure(kOpenDisk, errno, tried);
  }
  if (ioctl(loop, LOOP_SET_STATUS64, &config.info) == 0) return true;
  const int error = errno;
  ioctl(loop, LOOP_CLR_FD, 0);
  throw Failure(kOpenDisk, error, tried);
}

/**
 * A loop device over the file. It does not clear itself (LO_FLAGS_AUTOCLEAR): from here until the back
 * end opens it, nobody holds it.
 */
dev_t loopOver(const std::string& path, bool isReadOnly, const std::string& tried) {
  const int access = (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  UniqueFd file(::open(path.c_str(), access));
  if (!file.isOpen()) throw Failure(kOpenDisk, errno, tried);
  UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.isOpen()) throw Failure(kOpenDisk, errno, tried + " (no loop devices: is the module loop loaded?)");
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const int minor = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (minor < 0) throw Failure(kOpenDisk, errno, tried);
    UniqueFd loop(::open(loopPath(static_cast<uint32_t>(minor)).c_str(), access));
    if (!loop.isOpen()) throw Failure(kOpenDisk, errno, tried);
    if (bindLoop(loop.get(), file.get(), isReadOnly, labelOf(path), tried)) {
      return makedev(LOOP_MAJOR, static_cast<unsigned>(minor));
    }
  }
  throw Failure(kOpenDisk, EBUSY, tried);
}

dev_t openBlockDevice(const std::string& path, bool isReadOnly, dev_t device, const std::string& tried) {
  // Only asked whether it can be opened: the back end opens it by its number. What dom0 has mounted, or
  // has put to another use, is not for a guest to write to (EBUSY).
  UniqueFd fd(::open(path.c_str(), (isReadOnly ? O_RDONLY : O_RDWR | O_EXCL) | O_CLOEXEC));
  if (!fd.isOpen()) throw Failure(kOpenDisk, errno, tried);
  return device;
}

dev_t deviceFor(const std::string& path, bool isReadOnly) {
  const std::string tried = "cannot open " + path + " as a disk";
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) throw Failure(kOpenDisk, errno, tried);
  switch (about.st_mode & S_IFMT) {
    case S_IFBLK:
      return openBlockDevice(path, isReadOnly, about.st_rdev, tried);
    case S_IFREG:
      return loopOver(path, isReadOnly, tried);
    case S_IFDIR:
      throw Failure(kOpenDisk, EISDIR, tried);
    default:
      throw Failure(kOpenDisk, ENOTBLK, tried);
  }
}

Napi::Value openDisk(const Napi::CallbackInfo& info) {
  const bool isReadOnly = info[1].As<Napi::Boolean>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = cTextFrom(info[0], kOpenDisk, "the disk's path");
    const dev_t device = deviceFor(path, isReadOnly);
    auto made = Napi::Object::New(info.Env());
    made.Set("major", static_cast<double>(major(device)));
    made.Set("minor", static_cast<double>(minor(device)));
    return made;
  });
}

/** Is the device one that `loopOver` made over a file of that path, and still is? */
bool isOurs(int loop, const std::string& path, const std::string& tried) {
  loop_info64 info{};
  if (ioctl(loop, LOOP_GET_STATUS64, &info) != 0) {
    if (errno == ENXIO) return false;
    throw Failure(kCloseDisk, errno, tried);
  }
  const auto* begin = reinterpret_cast<const char*>(info.lo_file_name);
  return labelOf(path) == std::string(begin, strnlen(begin, LO_NAME_SIZE));
}

// While the back end still holds the device, this makes it clear itself when the back end lets go.
Napi::Value closeDisk(const Napi::CallbackInfo& info) {
  const uint32_t majorNumber = info[0].As<Napi::Number>();
  const uint32_t minorNumber = info[1].As<Napi::Number>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = cTextFrom(info[2], kCloseDisk, "the disk's path");
    if (majorNumber != LOOP_MAJOR) return info.Env().Undefined();
    const std::string tried = "cannot give " + loopPath(minorNumber) + " back";
    UniqueFd loop(::open(loopPath(minorNumber).c_str(), O_RDONLY | O_CLOEXEC));
    if (!loop.isOpen()) {
      if (errno == ENOENT || errno == ENXIO) return info.Env().Undefined();
      throw Failure(kCloseDisk, errno, tried);
    }
    if (isOurs(loop.get(), path, tried) && ioctl(loop.get(), LOOP_CLR_FD, 0) != 0 && errno != ENXIO) {
      throw Failure(kCloseDisk, errno, tried);
    }
    return info.Env().Undefined();
  });
}

}  // namespace

void defineDom0Devices(Napi::Env env, Napi::Object exports) {
  exports.Set("joinBridge", Napi::Function::New(env, joinBridge, "joinBridge"));
  exports.Set("openDisk", Napi::Function::New(env, openDisk, "openDisk"));
  exports.Set("closeDisk", Napi::Function::New(env, closeDisk, "closeDisk"));
}

}  // namespace xcl
