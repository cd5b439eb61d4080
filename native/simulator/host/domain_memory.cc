#include "domain_memory.h"

#include <algorithm>
#include <cerrno>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr uint64_t kPageKiB = kPageBytes / 1024;
// More than any host has; keeps the sums below from running over.
constexpr uint64_t kMostKiB = 1ULL << 44;
// Machine frames of PV domains: numbers that no PVH domain has.
constexpr uint64_t kFirstMfn = 1ULL << 24;
// Where the builder puts the rings of a PV domain, and from where on pages are for the guest's own use.
constexpr uint64_t kPvStorePfn = 16;
constexpr uint64_t kPvConsolePfn = 17;
constexpr uint64_t kFirstFreePfn = 32;
// The pages below 4 GiB that a PVH domain has besides its memory.
constexpr uint64_t kSpecialPages = 8;
constexpr uint64_t kSpecialPfn = 0xff000 - kSpecialPages;
constexpr uint64_t kPvhStorePfn = kSpecialPfn + 4;
constexpr uint64_t kPvhConsolePfn = kSpecialPfn + 7;

}  // namespace

DomainMemory::~DomainMemory() {
  for (const Touched& touched : touched_) store_.unref(touched.page);
  free_.giveBack(overheadKiB_ + poolKiB_ + ownKiB());
}

bool DomainMemory::claimOverhead(uint64_t kib) {
  if (!free_.take(kib)) return false;
  overheadKiB_ += kib;
  return true;
}

bool DomainMemory::claimPool(uint64_t kib) {
  free_.giveBack(poolKiB_);
  if (!free_.take(kib)) {
    free_.take(poolKiB_);
    return false;
  }
  poolKiB_ = kib;
  return true;
}

bool DomainMemory::populate(uint64_t kib) {
  const uint64_t pages = kib / kPageKiB + (isPvh_ ? kSpecialPages : 0);
  if (kib > kMostKiB || kib / kPageKiB < kFirstFreePfn || !free_.take(pages * kPageKiB)) return false;
  pages_ = pages;
  nextPfn_ = kFirstFreePfn;
  return true;
}

uint64_t DomainMemory::ownKiB() const { return pages_ * kPageKiB; }

bool DomainMemory::has(uint64_t pfn) const {
  if (!isPvh_) return pfn < pages_;
  if (pfn >= kSpecialPfn && pfn < kSpecialPfn + kSpecialPages) return pages_ != 0;
  return pages_ > kSpecialPages && pfn < pages_ - kSpecialPages;
}

std::vector<DomainMemory::Touched>::iterator DomainMemory::seek(uint64_t pfn) {
  return std::lower_bound(touched_.begin(), touched_.end(), pfn,
                          [](const Touched& touched, uint64_t wanted) { return touched.pfn < wanted; });
}

uint32_t DomainMemory::page(uint64_t pfn) {
  const auto at = seek(pfn);
  if (at != touched_.end() && at->pfn == pfn) return at->page;
  if (!has(pfn)) throw HostFailure{"populate_physmap", ENOMEM, "the domain has no page " + std::to_string(pfn)};
  const uint32_t page = store_.allocate(domid_);
  touched_.insert(at, {pfn, page});
  return page;
}

bool DomainMemory::pageOfFrame(uint64_t gfn, uint32_t& page) {
  if (isPvh_) {
    if (!has(gfn)) return false;
    page = this->page(gfn);
    return true;
  }
  if (gfn < kFirstMfn || !store_.isOf(gfn - kFirstMfn, domid_)) return false;
  page = static_cast<uint32_t>(gfn - kFirstMfn);
  return true;
}

uint64_t DomainMemory::frameOf(uint64_t pfn) { return isPvh_ ? pfn : kFirstMfn + page(pfn); }

uint64_t DomainMemory::allocate() {
  if (!freePfns_.empty()) {
    const uint64_t pfn = freePfns_.back();
    freePfns_.pop_back();
    return pfn;
  }
  if (!has(nextPfn_)) throw HostFailure{"populate_physmap", ENOMEM, "the domain has no page left"};
  return nextPfn_++;
}

void DomainMemory::release(uint64_t pfn) {
  if (pfn < kFirstFreePfn || pfn >= nextPfn_) {
    throw HostFailure{"decrease_reservation", EINVAL, "page " + std::to_string(pfn) + " was not allocated"};
  }
  const auto at = seek(pfn);
  if (at != touched_.end() && at->pfn == pfn) {
    store_.unref(at->page);
    touched_.erase(at);
  }
  freePfns_.push_back(pfn);
}

uint64_t DomainMemory::storePfn() const { return isPvh_ ? kPvhStorePfn : kPvStorePfn; }

uint64_t DomainMemory::consolePfn() const { return isPvh_ ? kPvhConsolePfn : kPvConsolePfn; }

}  // namespace xcl::sim
