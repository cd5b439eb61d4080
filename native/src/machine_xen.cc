#include "machine_xen.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "failure.h"
#include "unique_fd.h"

namespace xcl {

namespace {

constexpr size_t kPage = 4096;
constexpr char kSelfPort[] = "/proc/xen/xsd_port";
constexpr char kSelfPage[] = "/proc/xen/xsd_kva";

class GrantedPage : public MappedPage {
 public:
  GrantedPage(xengnttab_handle* handle, void* at) : handle_(handle), at_(at) {}
  ~GrantedPage() override { xengnttab_unmap(handle_, at_, 1); }
  std::byte* data() const override { return static_cast<std::byte*>(at_); }

 private:
  xengnttab_handle* handle_;
  void* at_;
};

class ForeignPage : public MappedPage {
 public:
  ForeignPage(xenforeignmemory_handle* handle, void* at) : handle_(handle), at_(at) {}
  ~ForeignPage() override { xenforeignmemory_unmap(handle_, at_, 1); }
  std::byte* data() const override { return static_cast<std::byte*>(at_); }

 private:
  xenforeignmemory_handle* handle_;
  void* at_;
};

class SelfPage : public MappedPage {
 public:
  explicit SelfPage(void* at) : at_(at) {}
  ~SelfPage() override { munmap(at_, kPage); }
  std::byte* data() const override { return static_cast<std::byte*>(at_); }

 private:
  void* at_;
};

[[noreturn]] void failToOpen(const char* op, const char* device) {
  throw Failure(op, errno, std::string("cannot open ") + device + "; is this a Xen host, and are you root?");
}

}  // namespace

MachineXen::MachineXen(uint32_t maxGrants, int inheritedFd)
    : isInherited_(inheritedFd >= 0),
      evtchn_(isInherited_ ? xenevtchn_fdopen(log_.logger(), inheritedFd, 0) : xenevtchn_open(log_.logger(), 0)) {
  if (!evtchn_) failToOpen("evtchn_open", "/dev/xen/evtchn");
  gnttab_.reset(xengnttab_open(log_.logger(), 0));
  if (!gnttab_) failToOpen("gnttab_open", "/dev/xen/gntdev");
  foreignMemory_.reset(xenforeignmemory_open(log_.logger(), 0));
  if (!foreignMemory_) failToOpen("foreignmemory_open", "/dev/xen/privcmd");
  // Kernels that have no limit per handle, or whose limit is a module parameter, refuse: no harm.
  xengnttab_set_max_grants(gnttab_.get(), maxGrants);
  const int fd = pendingFd();
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

std::unique_ptr<MappedPage> MachineXen::mapGrant(uint32_t domid, uint32_t gref) {
  void* at = xengnttab_map_grant_ref(gnttab_.get(), domid, gref, PROT_READ | PROT_WRITE);
  if (at == nullptr) {
    throw Failure("gnttab_map_grant_ref", errno, "cannot map grant " + std::to_string(gref), domid);
  }
  return std::make_unique<GrantedPage>(gnttab_.get(), at);
}

std::unique_ptr<MappedPage> MachineXen::mapFrame(uint32_t domid, uint64_t gfn) {
  const xen_pfn_t frame = gfn;
  int error = 0;
  void* at = xenforeignmemory_map(foreignMemory_.get(), domid, PROT_READ | PROT_WRITE, 1, &frame, &error);
  if (at == nullptr || error != 0) {
    const int reason = at == nullptr ? errno : -error;
    if (at != nullptr) xenforeignmemory_unmap(foreignMemory_.get(), at, 1);
    throw Failure("foreignmemory_map", reason, "cannot map frame " + std::to_string(gfn), domid);
  }
  return std::make_unique<ForeignPage>(foreignMemory_.get(), at);
}

std::unique_ptr<MappedPage> MachineXen::mapSelf(uint32_t& remotePort) {
  const UniqueFd portFile(::open(kSelfPort, O_RDONLY | O_CLOEXEC));
  char text[32]{};
  if (!portFile.isOpen() || ::read(portFile.get(), text, sizeof(text) - 1) <= 0) {
    throw Failure("open", errno, std::string("cannot read ") + kSelfPort + "; is /proc/xen mounted?");
  }
  remotePort = static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
  const UniqueFd pageFile(::open(kSelfPage, O_RDWR | O_CLOEXEC));
  if (!pageFile.isOpen()) throw Failure("open", errno, std::string("cannot open ") + kSelfPage);
  void* at = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, pageFile.get(), 0);
  if (at == MAP_FAILED) throw Failure("mmap", errno, std::string("cannot map ") + kSelfPage);
  return std::make_unique<SelfPage>(at);
}

uint32_t MachineXen::bind(uint32_t domid, uint32_t remotePort) {
  const xenevtchn_port_or_error_t port = xenevtchn_bind_interdomain(evtchn_.get(), domid, remotePort);
  if (port < 0) {
    throw Failure("evtchn_bind_interdomain", errno,
                  "cannot bind event channel (remote port " + std::to_string(remotePort) + ")", domid);
  }
  return static_cast<uint32_t>(port);
}

uint32_t MachineXen::adoptPort(uint32_t domid, uint32_t localPort, uint32_t remotePort) {
  return isInherited_ && localPort != 0 ? localPort : bind(domid, remotePort);
}

uint32_t MachineXen::bindVirq(uint32_t virq) {
  const xenevtchn_port_or_error_t port = xenevtchn_bind_virq(evtchn_.get(), virq);
  if (port < 0) {
    throw Failure("evtchn_bind_virq", errno,
                  "cannot bind VIRQ " + std::to_string(virq) + "; does another daemon hold it?");
  }
  return static_cast<uint32_t>(port);
}

void MachineXen::unbind(uint32_t localPort) { xenevtchn_unbind(evtchn_.get(), localPort); }

bool MachineXen::isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) {
  try {
    if (!control_) control_.emplace();
  } catch (const Failure&) {
    return false;
  }
  xc_evtchn_status_t asked{};
  asked.dom = DOMID_SELF;
  asked.port = localPort;
  return xc_evtchn_status(control_->get(), &asked) == 0 && asked.status == EVTCHNSTAT_interdomain &&
         asked.u.interdomain.dom == domid && asked.u.interdomain.port == remotePort;
}

void MachineXen::notify(uint32_t localPort) { xenevtchn_notify(evtchn_.get(), localPort); }

int MachineXen::pendingFd() const { return xenevtchn_fd(evtchn_.get()); }

// The descriptor gives and takes rows of port numbers; the library's calls handle one port each.
size_t MachineXen::readPending(std::span<uint32_t> ports) {
  const ssize_t bytes = ::read(pendingFd(), ports.data(), ports.size_bytes());
  return bytes > 0 ? static_cast<size_t>(bytes) / sizeof(uint32_t) : 0;
}

void MachineXen::unmask(std::span<const uint32_t> ports) {
  if (ports.empty()) return;
  if (::write(pendingFd(), ports.data(), ports.size_bytes()) < 0) {
    throw Failure("evtchn_unmask", errno, "cannot unmask event channels");
  }
}

}  // namespace xcl
