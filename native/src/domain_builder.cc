#include "domain_builder.h"

extern "C" {
#include <xenguest.h>
#include <xen/hvm/params.h>
}

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "acpi_tables.h"
#include "failure.h"
#include "unique_fd.h"

namespace xcl {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPageKiB = 4;
constexpr uint64_t kMiBKiB = 1024;
// Slack above maxmem for pages that Xen and the toolstack add to a domain; as libxl gives.
constexpr uint64_t kMaxmemSlackKiB = 1024;
constexpr uint32_t kDom0 = 0;

constexpr uint64_t kFourGiB = 1ULL << 32;
// The lowest thing below 4 GiB that is no memory: where ACPI tables of a PVH guest may be.
constexpr uint64_t kAcpiStart = 0xfc000000;
constexpr uint64_t kSpecialStart = static_cast<uint64_t>(X86_HVM_END_SPECIAL_REGION - X86_HVM_NR_SPECIAL_PAGES) * kPage;

// Types of an e820 memory map.
constexpr uint32_t kE820Ram = 1;
constexpr uint32_t kE820Reserved = 2;
constexpr uint32_t kE820Acpi = 3;

struct DomCloser {
  void operator()(xc_dom_image* dom) const { xc_dom_release(dom); }
};
using DomImage = std::unique_ptr<xc_dom_image, DomCloser>;

// libxenguest tells neither a missing file from a directory nor either in its errno.
void requireFile(const char* op, const std::string& path, uint32_t domid) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.isOpen()) throw Failure(op, errno, "cannot read " + path, domid);
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) throw Failure(op, errno, "cannot read " + path, domid);
  if (!S_ISREG(facts.st_mode)) throw Failure(op, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL, path + " is no file", domid);
}

// Populating memory that is not there fails with EBUSY or with nothing at all in errno.
void checkMemory(int status, const char* op, uint32_t domid, uint64_t memoryKiB) {
  if (status >= 0) return;
  const int error = errno == 0 || errno == EBUSY || errno == EINVAL ? ENOMEM : errno;
  throw Failure(op, error, "cannot give it " + std::to_string(memoryKiB) + " KiB of memory" + XenLog::heard(), domid);
}

}  // namespace

uint32_t DomainBuilder::create(const DomainSpec& spec, bool hasHap) const {
  XenLog::clear();
  xen_domctl_createdomain config{};
  std::copy(spec.uuid.begin(), spec.uuid.end(), config.handle);
  config.max_vcpus = spec.vcpus;
  config.max_evtchn_port = spec.maxEvtchnPort;
  config.max_grant_frames = spec.maxGrantFrames;
  config.max_maptrack_frames = spec.maxMaptrackFrames;
  config.grant_opts = XEN_DOMCTL_GRANT_version(1);
  if (spec.isPvh) {
    config.flags = XEN_DOMCTL_CDF_hvm | (hasHap ? XEN_DOMCTL_CDF_hap : 0U);
    config.arch.emulation_flags = XEN_X86_EMU_LAPIC;
  }
  // Xen takes 0 as "any free one".
  uint32_t domid = 0;
  XenHandle::check(xc_domain_create(xen_.get(), &domid, &config), "domain_create", "cannot create a domain", {}, EIO);
  return domid;
}

DomainPorts DomainBuilder::prepare(uint32_t domid, const DomainSpec& spec, bool hasHap) const {
  XenLog::clear();
  xc_interface* xch = xen_.get();
  XenHandle::check(xc_domain_max_vcpus(xch, domid, spec.vcpus), "domain_max_vcpus",
                   "cannot have " + std::to_string(spec.vcpus) + " vcpus", domid, EINVAL);
  XenHandle::check(xc_domain_setmaxmem(xch, domid, spec.maxMemoryKiB + kMaxmemSlackKiB), "domain_setmaxmem",
                   "cannot set the memory limit", domid, EINVAL);
  if (spec.isPvh) {
    const uint64_t maxMiB = (spec.maxMemoryKiB + kMiBKiB - 1) / kMiBKiB;
    const uint64_t poolKiB = 4 * (256ULL * spec.vcpus + maxMiB * (hasHap ? 1 : 2));
    const int pool = xc_set_paging_mempool_size(xch, domid, poolKiB * 1024);
    checkMemory(pool, "set_paging_mempool_size", domid, poolKiB);
    XenHandle::check(xc_hvm_param_set(xch, domid, HVM_PARAM_TIMER_MODE, 1), "hvm_param_set",
                     "cannot set the timer mode", domid, EINVAL);
  } else {
    XenHandle::check(xc_domain_set_memmap_limit(xch, domid, spec.maxMemoryKiB), "domain_set_memmap_limit",
                     "cannot limit the memory map", domid, EINVAL);
  }
  XenHandle::check(xc_domain_set_tsc_info(xch, domid, 0, 0, 0, 0), "domain_set_tsc_info", "cannot set the TSC mode",
                   domid, EINVAL);
  XenHandle::check(xc_cpuid_apply_policy(xch, domid, false, nullptr, 0, true, false, false, nullptr, nullptr),
                   "cpuid_apply_policy", "cannot set the CPU policy", domid, EINVAL);
  const int store = xc_evtchn_alloc_unbound(xch, domid, kDom0);
  XenHandle::check(store, "evtchn_alloc_unbound", "cannot allocate an event channel", domid, ENOSPC);
  const int console = xc_evtchn_alloc_unbound(xch, domid, kDom0);
  XenHandle::check(console, "evtchn_alloc_unbound", "cannot allocate an event channel", domid, ENOSPC);
  return DomainPorts{static_cast<uint32_t>(store), static_cast<uint32_t>(console)};
}

BuiltImage DomainBuilder::build(uint32_t domid, const DomainSpec& spec, const DomainPorts& ports,
                                const ImageSpec& image) const {
  XenLog::clear();
  xc_interface* xch = xen_.get();
  const DomImage owner(xc_dom_allocate(xch, image.cmdline.c_str(), nullptr));
  xc_dom_image* dom = owner.get();
  if (dom == nullptr) throw Failure("dom_allocate", ENOMEM, "cannot begin to build", domid);
  const auto step = [&](int status, const char* op, const char* tried, int otherwise) {
    XenHandle::check(status, op, tried, domid, otherwise);
  };
  dom->container_type = spec.isPvh ? xc_dom_image::XC_DOM_HVM_CONTAINER : xc_dom_image::XC_DOM_PV_CONTAINER;
  dom->max_vcpus = spec.vcpus;
  dom->xenstore_evtchn = ports.store;
  dom->console_evtchn = ports.console;
  dom->xenstore_domid = dom->console_domid = kDom0;
  loadFiles(dom, domid, image);
  step(xc_dom_boot_xen_init(dom, xch, domid), "dom_boot_xen_init", "cannot begin to build", EIO);
  step(xc_dom_parse_image(dom), "dom_parse_image", (image.kernel + " is no kernel for this kind of domain").c_str(),
       ENOEXEC);
  const uint64_t mappedKiB = spec.isPvh ? spec.maxMemoryKiB : spec.memoryKiB;
  step(xc_dom_mem_init(dom, static_cast<unsigned>((mappedKiB + kMiBKiB - 1) / kMiBKiB)), "dom_mem_init",
       "cannot lay out its memory", EINVAL);
  // The call above knows whole MiB only.
  dom->total_pages = mappedKiB / kPageKiB;
  if (spec.isPvh) layOutPvh(dom, spec);
  checkMemory(xc_dom_boot_mem_init(dom), "dom_boot_mem_init", domid, spec.memoryKiB);
  if (spec.isPvh) {
    addAcpi(dom, domid, spec.vcpus);
    describeMemory(dom, domid);
  }
  step(xc_dom_build_image(dom), "dom_build_image", "cannot load its image into memory", ENOMEM);
  step(xc_dom_boot_image(dom), "dom_boot_image", "cannot set up its first vcpu", EINVAL);
  step(xc_dom_gnttab_init(dom), "dom_gnttab_init", "cannot seed its grant table", EINVAL);
  return BuiltImage{xc_dom_p2m(dom, dom->xenstore_pfn), xc_dom_p2m(dom, dom->console_pfn)};
}

void DomainBuilder::loadFiles(xc_dom_image* dom, uint32_t domid, const ImageSpec& image) const {
  requireFile("dom_kernel_file", image.kernel, domid);
  XenHandle::check(xc_dom_kernel_file(dom, image.kernel.c_str()), "dom_kernel_file", "cannot read " + image.kernel,
                   domid, EINVAL);
  if (image.ramdisk.empty()) return;
  requireFile("dom_module_file", image.ramdisk, domid);
  XenHandle::check(xc_dom_module_file(dom, image.ramdisk.c_str(), nullptr), "dom_module_file",
                   "cannot read " + image.ramdisk, domid, EINVAL);
}

// Memory of a PVH guest: from 0 up to the hole below 4 GiB, the rest from 4 GiB on.
void DomainBuilder::layOutPvh(xc_dom_image* dom, const DomainSpec& spec) {
  const uint64_t bytes = spec.maxMemoryKiB * 1024;
  dom->target_pages = spec.memoryKiB / kPageKiB;
  dom->mmio_start = kAcpiStart;
  dom->mmio_size = kFourGiB - kAcpiStart;
  dom->lowmem_end = std::min(bytes, kAcpiStart);
  dom->highmem_end = bytes > kAcpiStart ? kFourGiB + (bytes - kAcpiStart) : 0;
  dom->vga_hole_size = 0;
  dom->device_model = false;
}

// Without tables a guest runs on its first vcpu only. The library puts them where they say and tells the
// guest of them in its start info.
void DomainBuilder::addAcpi(xc_dom_image* dom, uint32_t domid, uint32_t vcpus) const {
  const std::vector<uint8_t> tables = acpiTables(kAcpiStart, vcpus);
  auto* copy = static_cast<uint8_t*>(xc_dom_malloc(dom, tables.size()));
  if (copy == nullptr) throw Failure("dom_malloc", ENOMEM, "cannot make its ACPI tables", domid);
  std::copy(tables.begin(), tables.end(), copy);
  dom->acpi_modules[0].data = copy;
  dom->acpi_modules[0].length = static_cast<uint32_t>(tables.size());
  dom->acpi_modules[0].guest_addr_out = kAcpiStart;
}

// The guest finds the map in its start info, or asks Xen for it.
void DomainBuilder::describeMemory(xc_dom_image* dom, uint32_t domid) const {
  auto* map = static_cast<e820entry*>(xc_dom_malloc(dom, 4 * sizeof(e820entry)));
  if (map == nullptr) throw Failure("dom_malloc", ENOMEM, "cannot describe its memory", domid);
  uint32_t count = 0;
  map[count++] = e820entry{0, dom->lowmem_end, kE820Ram};
  map[count++] = e820entry{kAcpiStart, kPage, kE820Acpi};
  map[count++] = e820entry{kSpecialStart, X86_HVM_NR_SPECIAL_PAGES * kPage, kE820Reserved};
  if (dom->highmem_end != 0) map[count++] = e820entry{kFourGiB, dom->highmem_end - kFourGiB, kE820Ram};
  dom->e820 = map;
  dom->e820_entries = count;
  XenHandle::check(xc_domain_set_memory_map(xen_.get(), domid, map, count), "domain_set_memory_map",
                   "cannot describe its memory", domid, EINVAL);
}

}  // namespace xcl
