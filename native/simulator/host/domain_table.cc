#include "domain_table.h"

#include <bit>

#include "machine.h"

namespace xcl::sim {

DomainTable::DomainTable(Machine& machine, uint32_t firstDomid)
    : machine_(machine),
      byDomid_(kDomidFirstReserved),
      rover_(firstDomid - 1),
      isExpired_(kDomidFirstReserved),
      isChanged_(kDomidFirstReserved) {}

// Guests first: dom0's kernel maps their pages, and gives them back when it goes.
DomainTable::~DomainTable() {
  for (uint32_t domid = 0; domid < byDomid_.size(); domid++) {
    if (byDomid_[domid] && domid != kDom0) byDomid_[domid]->kill();
  }
  byDomid_[kDom0].reset();
}

uint32_t DomainTable::atOrAfter(uint32_t first) const {
  if (first >= kDomidFirstReserved) return kNone;
  uint64_t bits = isThere_[first / 64] & (~0ULL << (first % 64));
  for (size_t word = first / 64;;) {
    if (bits != 0) return static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits)));
    if (++word == isThere_.size()) return kNone;
    bits = isThere_[word];
  }
}

uint32_t DomainTable::nextDomid() const {
  for (uint32_t i = 0; i < kDomidFirstReserved; i++) {
    uint32_t domid = rover_ + 1 + i;
    if (domid >= kDomidFirstReserved) domid = domid - kDomidFirstReserved + 1;
    if (domid != kDom0 && domid < kDomidFirstReserved && !byDomid_[domid]) return domid;
  }
  return kNone;
}

Domain& DomainTable::add(uint32_t domid, const CreateArgs& args) {
  byDomid_[domid] = std::make_unique<Domain>(machine_, domid, args);
  isThere_[domid / 64] |= 1ULL << (domid % 64);
  count_++;
  if (domid != kDom0) rover_ = domid;
  markChanged(domid);
  return *byDomid_[domid];
}

// A domain that dies gives back what it has mapped of itself: that is heard of twice.
void DomainTable::expire(uint32_t domid) {
  if (isExpired_[domid]) return;
  isExpired_[domid] = true;
  expired_.push_back(domid);
}

void DomainTable::reap() {
  if (expired_.empty()) return;
  for (const uint32_t domid : expired_) {
    byDomid_[domid].reset();
    isExpired_[domid] = false;
    isThere_[domid / 64] &= ~(1ULL << (domid % 64));
    count_--;
    markChanged(domid);
    if (machine_.news().isHeard()) {
      machine_.news().say("gone " + std::to_string(domid) + " " + std::to_string(monotonicNs()));
    }
  }
  expired_.clear();
  machine_.channels().raiseVirq(kVirqDomExc);
}

void DomainTable::changed(uint32_t domid) {
  markChanged(domid);
  machine_.channels().raiseVirq(kVirqDomExc);
}

// Nobody asks for what changed while the VIRQ is not bound, and nothing is kept for then.
void DomainTable::markChanged(uint32_t domid) {
  if (isChanged_[domid] || !machine_.channels().isVirqBound(kVirqDomExc)) return;
  isChanged_[domid] = true;
  changed_.push_back(domid);
}

void DomainTable::resetChanged() {
  changed_.clear();
  changedFrom_ = 0;
  isChanged_.assign(isChanged_.size(), false);
  for (uint32_t domid = atOrAfter(0); domid != kNone; domid = atOrAfter(domid + 1)) markChanged(domid);
}

size_t DomainTable::takeChanged(std::span<DomainFacts> facts) {
  size_t count = 0;
  for (; count < facts.size() && changedFrom_ < changed_.size(); changedFrom_++) {
    const uint32_t domid = changed_[changedFrom_];
    isChanged_[domid] = false;
    const Domain* domain = find(domid);
    facts[count] = domain != nullptr ? domain->facts() : DomainFacts{};
    facts[count].domid = domid;
    facts[count].isGone = domain == nullptr;
    count++;
  }
  if (changedFrom_ == changed_.size()) {
    changed_.clear();
    changedFrom_ = 0;
  }
  return count;
}

}  // namespace xcl::sim
