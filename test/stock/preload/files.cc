// Files that a stock daemon expects at fixed places: what the kernel tells of dom0's own ring, and folders that
// only root may write, which lie in XCL_STOCK_RUN_DIR here.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "ready.h"
#include "stock_host.h"

using xcl::stock::called;
using xcl::stock::StockHost;

namespace {

constexpr std::string_view kOwnPage = "/proc/xen/xsd_kva";
constexpr std::string_view kOwnPort = "/proc/xen/xsd_port";

struct Place {
  std::string_view usual;
  std::string_view here;
};

constexpr std::array<Place, 5> kPlaces{{
    {"/var/run/xenstored", ""},
    {"/run/xenstored", ""},
    {"/var/run/xen", "/run"},
    {"/var/log/xen", "/log"},
    {"/etc/xen", "/etc"},
}};

/** The function of that name that this library stands before. */
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/** Where that file is here. */
std::string placeOf(const char* path) {
  const char* const runDir = std::getenv("XCL_STOCK_RUN_DIR");
  const std::string_view asked = path;
  for (const Place& place : kPlaces) {
    if (runDir == nullptr || !asked.starts_with(place.usual)) continue;
    const std::string_view rest = asked.substr(place.usual.size());
    if (rest.empty() || rest[0] == '/') return std::string(runDir) + std::string(place.here) + std::string(rest);
  }
  return path;
}

/** Stands for xsd_kva: mapping it maps the page. -1: cannot be made */
int ownPageFd() {
  static const int fd = memfd_create("xsd_kva", MFD_CLOEXEC);
  return fd;
}

bool isOwnPage(int fd) {
  struct stat one {};
  struct stat other {};
  return fd >= 0 && fstat(fd, &one) == 0 && fstat(ownPageFd(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

/** A file with the number in it, to be read from its beginning. */
int ownPortFd() {
  return called(-1, [](StockHost& host) {
    const std::string number = std::to_string(host.ownPort());
    const int fd = memfd_create("xsd_port", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, number.data(), number.size(), 0) < 0) return -1;
    return fd;
  });
}

int openHere(const char* name, const char* path, int flags, mode_t mode) {
  if (path == kOwnPage) return dup(ownPageFd());
  if (path == kOwnPort) return ownPortFd();
  return next<int(const char*, int, ...)>(name)(placeOf(path).c_str(), flags, mode);
}

void* mapHere(const char* name, void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  if (isOwnPage(fd)) return called<void*>(MAP_FAILED, [](StockHost& host) { return host.ownPage(); });
  return next<void*(void*, size_t, int, int, int, off_t)>(name)(address, length, protection, flags, fd, offset);
}

mode_t modeIn(int flags, va_list& rest) { return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; }

}  // namespace

extern "C" {

// A daemon does not outlive who started it; a test that is killed leaves none behind.
__attribute__((constructor)) static void tieToStarter() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = modeIn(flags, rest);
  va_end(rest);
  return openHere("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = modeIn(flags, rest);
  va_end(rest);
  return openHere("open64", path, flags, mode);
}

void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  return mapHere("mmap", address, length, protection, flags, fd, offset);
}

void* mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) noexcept {
  return mapHere("mmap64", address, length, protection, flags, fd, offset);
}

int munmap(void* address, size_t length) noexcept {
  const bool isPage = called(false, [&](StockHost& host) { return host.drop(address); });
  return isPage ? 0 : next<int(void*, size_t)>("munmap")(address, length);
}

FILE* fopen(const char* path, const char* mode) {
  return next<FILE*(const char*, const char*)>("fopen")(placeOf(path).c_str(), mode);
}

int stat(const char* path, struct stat* about) noexcept {
  return next<int(const char*, struct stat*)>("stat")(placeOf(path).c_str(), about);
}

int stat64(const char* path, struct stat64* about) noexcept {
  return next<int(const char*, struct stat64*)>("stat64")(placeOf(path).c_str(), about);
}

int lstat64(const char* path, struct stat64* about) noexcept {
  return next<int(const char*, struct stat64*)>("lstat64")(placeOf(path).c_str(), about);
}

int access(const char* path, int mode) noexcept {
  return next<int(const char*, int)>("access")(placeOf(path).c_str(), mode);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return next<int(const char*, mode_t)>("mkdir")(placeOf(path).c_str(), mode);
}

int chmod(const char* path, mode_t mode) noexcept {
  return next<int(const char*, mode_t)>("chmod")(placeOf(path).c_str(), mode);
}

int unlink(const char* path) noexcept { return next<int(const char*)>("unlink")(placeOf(path).c_str()); }

int rename(const char* from, const char* to) noexcept {
  return next<int(const char*, const char*)>("rename")(placeOf(from).c_str(), placeOf(to).c_str());
}

DIR* opendir(const char* path) { return next<DIR*(const char*)>("opendir")(placeOf(path).c_str()); }

int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  const auto real = next<int(int, const sockaddr*, socklen_t)>("bind");
  if (address->sa_family != AF_UNIX) return real(fd, address, length);
  sockaddr_un here{};
  std::memcpy(&here, address, std::min<size_t>(length, sizeof here));
  const std::string path = placeOf(here.sun_path);
  if (path.size() >= sizeof here.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(here.sun_path, path.c_str(), path.size() + 1);
  return real(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here);
}

// As many descriptors as the machine has are more than a container lets its root have.
int setrlimit(__rlimit_resource_t resource, const rlimit* asked) noexcept {
  const auto real = next<int(__rlimit_resource_t, const rlimit*)>("setrlimit");
  rlimit given{};
  if (real(resource, asked) == 0) return 0;
  if (errno != EPERM || getrlimit(resource, &given) != 0) return -1;
  given.rlim_cur = std::min(asked->rlim_cur, given.rlim_max);
  return real(resource, &given);
}

int listen(int fd, int backlog) noexcept {
  const int result = next<int(int, int)>("listen")(fd, backlog);
  if (result == 0) xcl::stock::sayReady();
  return result;
}

// On a simulated machine nobody needs to be root.
uid_t geteuid() noexcept { return 0; }

}  // extern "C"
