#include "machine_simulator.h"

#include <sys/eventfd.h>

#include <bit>
#include <cerrno>

#include "failure.h"

namespace xcl {

namespace {

constexpr uint32_t kNoSlot = UINT32_MAX;
// As kOpenMachine sends them.
enum Descriptor : size_t { kPages, kInArea, kInEvents, kOutArea, kOutEvents, kDescriptors };

uint64_t bitOf(uint32_t port) { return 1ULL << (port % 64); }

/** Wakes who reads the area, unless it is about to look anyway. */
void signal(sim::EventArea& area, int fd) {
  if (area.isSignalled.exchange(1) == 0) eventfd_write(fd, 1);
}

void select(sim::EventArea& area, uint32_t word) { area.selector[word / 64].fetch_or(bitOf(word)); }

}  // namespace

/** The machine counts how often a page is mapped: as long as it is, it is nobody else's. */
class MachineSimulator::Page : public MappedPage {
 public:
  Page(std::shared_ptr<SimulatorLink> link, std::shared_ptr<SharedMapping> pages, uint64_t page)
      : link_(std::move(link)), pages_(std::move(pages)), page_(page) {}
  ~Page() override {
    try {
      link_->call(sim::Op::kUnmap, {}, {page_});
    } catch (const Failure&) {
      // The machine has gone, and the page with it.
    }
  }
  std::byte* data() const override { return pages_->data() + page_ * sim::kPageBytes; }

 private:
  std::shared_ptr<SimulatorLink> link_;
  std::shared_ptr<SharedMapping> pages_;
  uint64_t page_;
};

MachineSimulator::MachineSimulator(const std::string& socketPath)
    : MachineSimulator(std::make_shared<SimulatorLink>(socketPath), sim::Op::kOpenMachine) {}

MachineSimulator::MachineSimulator(UniqueFd inherited)
    : MachineSimulator(std::make_shared<SimulatorLink>(std::move(inherited)), sim::Op::kReopenMachine) {}

MachineSimulator::MachineSimulator(std::shared_ptr<SimulatorLink> link, sim::Op open)
    : link_(std::move(link)), isInherited_(open == sim::Op::kReopenMachine) {
  SimulatorLink::Answer answer = link_->call(open);
  if (answer.descriptors.size() != kDescriptors) {
    throw Failure("simulator", EPROTO, "the simulated machine does not give its memory");
  }
  auto& descriptors = answer.descriptors;
  pages_ = std::make_shared<SharedMapping>(descriptors[kPages].get(), sim::kMaxPages * sim::kPageBytes);
  in_ = SharedMapping(descriptors[kInArea].get(), sizeof(sim::EventArea));
  inFd_ = std::move(descriptors[kInEvents]);
  out_ = SharedMapping(descriptors[kOutArea].get(), sizeof(sim::EventArea));
  outFd_ = std::move(descriptors[kOutEvents]);
}

std::unique_ptr<MappedPage> MachineSimulator::mapGrant(uint32_t domid, uint32_t gref) {
  return pageAt(link_->call(sim::Op::kMapGrant, domid, {gref}).results[0]);
}

std::unique_ptr<MappedPage> MachineSimulator::mapFrame(uint32_t domid, uint64_t gfn) {
  return pageAt(link_->call(sim::Op::kMapFrame, domid, {gfn}).results[0]);
}

std::unique_ptr<MappedPage> MachineSimulator::mapSelf(uint32_t& remotePort) {
  const auto results = link_->call(sim::Op::kMapSelf).results;
  remotePort = static_cast<uint32_t>(results[1]);
  return pageAt(results[0]);
}

std::unique_ptr<MappedPage> MachineSimulator::pageAt(uint64_t page) {
  if (page >= sim::kMaxPages) throw Failure("simulator", EPROTO, "the simulated machine names a page that is none");
  return std::make_unique<Page>(link_, pages_, page);
}

uint32_t MachineSimulator::bind(uint32_t domid, uint32_t remotePort) {
  const auto results = link_->call(sim::Op::kBind, domid, {remotePort}).results;
  const auto localPort = static_cast<uint32_t>(results[0]);
  setSlot(localPort, static_cast<uint32_t>(results[1]));
  return localPort;
}

uint32_t MachineSimulator::adoptPort(uint32_t domid, uint32_t localPort, uint32_t remotePort) {
  if (!isInherited_ || localPort == 0) return bind(domid, remotePort);
  setSlot(localPort, static_cast<uint32_t>(link_->call(sim::Op::kAdoptPort, {}, {localPort}).results[0]));
  return localPort;
}

void MachineSimulator::setSlot(uint32_t localPort, uint32_t slot) {
  if (localPort >= slots_.size()) slots_.resize(localPort + 1, kNoSlot);
  slots_[localPort] = slot;
}

uint32_t MachineSimulator::bindVirq(uint32_t virq) {
  return static_cast<uint32_t>(link_->call(sim::Op::kBindVirq, {}, {virq}).results[0]);
}

void MachineSimulator::unbind(uint32_t localPort) {
  if (localPort < slots_.size()) slots_[localPort] = kNoSlot;
  try {
    link_->call(sim::Op::kUnbind, {}, {localPort});
  } catch (const Failure&) {
    // As on Xen nobody is told: the port is closed either way.
  }
}

bool MachineSimulator::isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) {
  try {
    return link_->call(sim::Op::kIsBound, domid, {localPort, remotePort}).results[0] != 0;
  } catch (const Failure&) {
    // The machine has gone.
    return false;
  }
}

void MachineSimulator::notify(uint32_t localPort) {
  const uint32_t slot = localPort < slots_.size() ? slots_[localPort] : kNoSlot;
  if (slot == kNoSlot) return;
  const uint32_t word = slot / 64;
  out().pending[word].fetch_or(bitOf(slot));
  select(out(), word);
  signal(out(), outFd_.get());
}

size_t MachineSimulator::readPending(std::span<uint32_t> ports) {
  eventfd_t ignored = 0;
  eventfd_read(inFd_.get(), &ignored);
  in().isSignalled.store(0);
  size_t count = 0;
  for (uint32_t group = 0; group < std::size(in().selector); group++) {
    uint64_t words = in().selector[group].load();
    while (words != 0) {
      const uint32_t word = group * 64 + static_cast<uint32_t>(std::countr_zero(words));
      words &= words - 1;
      in().selector[group].fetch_and(~bitOf(word));
      count += takeWord(word, ports.subspan(count));
      if (count == ports.size()) {
        // There may be more, and the caller may come back only when it is woken.
        signal(in(), inFd_.get());
        return count;
      }
    }
  }
  return count;
}

// Masked first, cleared then: what fires in between is the event that is being taken.
size_t MachineSimulator::takeWord(uint32_t word, std::span<uint32_t> ports) {
  uint64_t taken = 0;
  size_t count = 0;
  uint64_t fired = in().pending[word].load() & ~in().mask[word].load();
  for (; fired != 0 && count < ports.size(); fired &= fired - 1) {
    const auto bit = static_cast<uint32_t>(std::countr_zero(fired));
    taken |= bitOf(bit);
    ports[count++] = word * 64 + bit;
  }
  in().mask[word].fetch_or(taken);
  in().pending[word].fetch_and(~taken);
  if (fired != 0) select(in(), word);
  return count;
}

void MachineSimulator::unmask(std::span<const uint32_t> ports) {
  bool isAnyPending = false;
  for (size_t i = 0; i < ports.size();) {
    // Ports that were read together stand in order: those of one word are unmasked at once.
    const uint32_t word = ports[i] / 64;
    uint64_t bits = 0;
    for (; i < ports.size() && ports[i] / 64 == word; i++) bits |= bitOf(ports[i]);
    in().mask[word].fetch_and(~bits);
    if ((in().pending[word].load() & bits) == 0) continue;
    select(in(), word);
    isAnyPending = true;
  }
  if (isAnyPending) signal(in(), inFd_.get());
}

}  // namespace xcl
