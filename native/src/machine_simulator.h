// The simulated machine: wraps one connection to it, its pages (one mapping for all of them), and the two
// areas of events. Everything is given back when the connection is closed, or when this process dies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine.h"
#include "shared_mapping.h"
#include "simulator_link.h"

namespace xcl {

class MachineSimulator : public Machine {
 public:
  /** @throws Failure as SimulatorLink does */
  explicit MachineSimulator(const std::string& socketPath);
  /** @param inherited of the program before, with its ports; what it had mapped is unmapped */
  explicit MachineSimulator(UniqueFd inherited);

  std::unique_ptr<MappedPage> mapGrant(uint32_t domid, uint32_t gref) override;
  std::unique_ptr<MappedPage> mapFrame(uint32_t domid, uint64_t gfn) override;
  std::unique_ptr<MappedPage> mapSelf(uint32_t& remotePort) override;
  uint32_t bind(uint32_t domid, uint32_t remotePort) override;
  uint32_t adoptPort(uint32_t domid, uint32_t localPort, uint32_t remotePort) override;
  int inheritableFd() const override { return link_->fd(); }
  uint32_t bindVirq(uint32_t virq) override;
  void unbind(uint32_t localPort) override;
  bool isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) override;
  void notify(uint32_t localPort) override;
  int pendingFd() const override { return inFd_.get(); }
  size_t readPending(std::span<uint32_t> ports) override;
  void unmask(std::span<const uint32_t> ports) override;

 private:
  class Page;

  MachineSimulator(std::shared_ptr<SimulatorLink> link, sim::Op open);
  std::unique_ptr<MappedPage> pageAt(uint64_t page);
  void setSlot(uint32_t localPort, uint32_t slot);
  sim::EventArea& in() const { return *reinterpret_cast<sim::EventArea*>(in_.data()); }
  sim::EventArea& out() const { return *reinterpret_cast<sim::EventArea*>(out_.data()); }
  size_t takeWord(uint32_t word, std::span<uint32_t> ports);

  /** Pages outlive the machine if their owner lets them. */
  std::shared_ptr<SimulatorLink> link_;
  bool isInherited_;
  std::shared_ptr<SharedMapping> pages_;
  SharedMapping in_;
  UniqueFd inFd_;
  SharedMapping out_;
  UniqueFd outFd_;
  /** By local port: the bit that fires the other end; kNoSlot where there is none. */
  std::vector<uint32_t> slots_;
};

}  // namespace xcl
