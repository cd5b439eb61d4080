// All domains by number: which there are, which number the next one gets, and what changed about which.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "domain.h"

namespace xcl::sim {

class DomainTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  /** @param firstDomid what the first guest is to be called */
  DomainTable(Machine& machine, uint32_t firstDomid);
  ~DomainTable();

  /** nullptr: there is none. */
  Domain* find(uint64_t domid) const { return domid < byDomid_.size() ? byDomid_[domid].get() : nullptr; }
  /** The lowest domid there is that is not below `first`; kNone: none. */
  uint32_t atOrAfter(uint32_t first) const;
  uint32_t count() const { return count_; }

  /** The number that the next domain gets: Xen goes on from the last one. kNone: all are taken */
  uint32_t nextDomid() const;
  /** The next domain gets that number, or the next free one after it. */
  void continueAt(uint32_t domid) { rover_ = domid - 1; }
  Domain& add(uint32_t domid, const CreateArgs& args);
  /** The domain is dead and nobody has anything of it; it goes at the end of the loop's turn. May be said twice. */
  void expire(uint32_t domid);
  /** Lets those go that have expired. */
  void reap();

  /** Something about the domain changed that VIRQ_DOM_EXC tells; raises it. */
  void changed(uint32_t domid);
  /** Whoever bound the VIRQ does not know of any domain yet. */
  void resetChanged();
  /** Takes the domains of which a change was not told yet. @returns how many */
  size_t takeChanged(std::span<DomainFacts> facts);

 private:
  void markChanged(uint32_t domid);

  Machine& machine_;
  std::vector<std::unique_ptr<Domain>> byDomid_;
  std::array<uint64_t, (kDomidFirstReserved + 63) / 64> isThere_{};
  uint32_t count_ = 0;
  /** The domid given out last. */
  uint32_t rover_;
  std::vector<uint32_t> expired_;
  std::vector<bool> isExpired_;
  /** Domids in the order of their change, and whether one is among them. */
  std::vector<uint32_t> changed_;
  size_t changedFrom_ = 0;
  std::vector<bool> isChanged_;
};

}  // namespace xcl::sim
