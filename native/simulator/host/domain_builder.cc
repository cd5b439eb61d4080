#include "domain_builder.h"

#include <cerrno>

#include "machine.h"

namespace xcl::sim {

namespace {

// What Xen keeps of a domain besides its memory.
constexpr uint64_t kOverheadKiB = 64;
// Slack above maxmem, as the toolstack gives on Xen.
constexpr uint64_t kMaxmemSlackKiB = 1024;
constexpr uint64_t kMiBKiB = 1024;
constexpr uint32_t kMostVcpusPv = 8192;
constexpr uint32_t kMostVcpusPvh = 128;
// Frames of the largest grant table; keeps what is made of it from running over.
constexpr int32_t kMostFrames = 1 << 20;

uint64_t poolKiBOf(const CreateArgs& args) {
  return 4 * (256ULL * args.vcpus + (args.maxMemoryKiB + kMiBKiB - 1) / kMiBKiB);
}

}  // namespace

uint32_t DomainBuilder::create(const CreateArgs& args) {
  const char* op = "domain_create";
  const std::string tried = "cannot create a domain";
  const uint32_t most = args.isPvh != 0 ? kMostVcpusPvh : kMostVcpusPv;
  if (args.vcpus == 0 || args.vcpus > most || args.maxGrantFrames > kMostFrames) {
    throw HostFailure{op, EINVAL, tried};
  }
  const uint32_t domid = machine_.domains().nextDomid();
  if (domid == DomainTable::kNone) throw HostFailure{op, ENOMEM, tried};
  machine_.faults().check(op, domid, tried);
  if (machine_.freeMemory().kib() < kOverheadKiB) throw HostFailure{op, ENOMEM, tried};
  machine_.domains().add(domid, args).memory().claimOverhead(kOverheadKiB);
  return domid;
}

std::array<uint32_t, 2> DomainBuilder::prepare(Domain& domain, const CreateArgs& args) {
  const uint32_t domid = domain.domid();
  const auto fault = [&](const char* op, const std::string& tried) { machine_.faults().check(op, domid, tried); };
  if (domid == kDom0 || domain.isDead()) throw HostFailure{"domain_max_vcpus", EINVAL, "cannot have vcpus"};
  const std::string vcpus = "cannot have " + std::to_string(args.vcpus) + " vcpus";
  fault("domain_max_vcpus", vcpus);
  if (args.vcpus == 0 || args.vcpus > domain.args().vcpus) throw HostFailure{"domain_max_vcpus", EINVAL, vcpus};
  fault("domain_setmaxmem", "cannot set the memory limit");
  domain.limitMemory(args.maxMemoryKiB + kMaxmemSlackKiB);
  if (domain.args().isPvh != 0) {
    const std::string tried = "cannot give it " + std::to_string(poolKiBOf(args)) + " KiB of memory";
    fault("set_paging_mempool_size", tried);
    if (!domain.memory().claimPool(poolKiBOf(args))) throw HostFailure{"set_paging_mempool_size", ENOMEM, tried};
  }
  std::array<uint32_t, 2> ports{};
  for (uint32_t& port : ports) {
    fault("evtchn_alloc_unbound", "cannot allocate an event channel");
    port = machine_.channels().allocateUnbound(domid, kDom0, kKernel);
  }
  return ports;
}

std::array<uint64_t, 2> DomainBuilder::build(Domain& domain, const CreateArgs& args, const ImageSpec& image) {
  const uint32_t domid = domain.domid();
  const auto fault = [&](const char* op, const std::string& tried) { machine_.faults().check(op, domid, tried); };
  if (domid == kDom0 || domain.isDead()) throw HostFailure{"dom_boot_xen_init", EINVAL, "cannot begin to build"};
  fault("dom_kernel_file", "cannot read " + image.kernel);
  const KernelImages::Fitness fitness = images_.look(image.kernel);
  if (!image.ramdisk.empty()) {
    fault("dom_module_file", "cannot read " + image.ramdisk);
    images_.requireRamdisk(image.ramdisk);
  }
  const bool isPvh = domain.args().isPvh != 0;
  const std::string noKernel = image.kernel + " is no kernel for this kind of domain";
  fault("dom_parse_image", noKernel);
  if (!(isPvh ? fitness.pvh : fitness.pv)) throw HostFailure{"dom_parse_image", ENOEXEC, noKernel};
  DomainMemory& memory = domain.memory();
  const std::string noMemory = "cannot give it " + std::to_string(args.memoryKiB) + " KiB of memory";
  fault("dom_boot_mem_init", noMemory);
  if (memory.isPopulated() || args.memoryKiB > domain.maxMemoryKiB() || !memory.populate(args.memoryKiB)) {
    throw HostFailure{"dom_boot_mem_init", ENOMEM, noMemory};
  }
  fault("dom_build_image", "cannot load its image into memory");
  StartInfo start{isPvh, image.cmdline, memory.storePfn(), memory.consolePfn(), args.storePort, args.consolePort};
  const std::array<uint64_t, 2> frames{memory.frameOf(start.storePfn), memory.frameOf(start.consolePfn)};
  fault("dom_gnttab_init", "cannot seed its grant table");
  domain.grants().seed(kGrantConsole, kDom0, start.consolePfn);
  domain.grants().seed(kGrantStore, kDom0, start.storePfn);
  domain.load(std::move(start));
  return frames;
}

}  // namespace xcl::sim
