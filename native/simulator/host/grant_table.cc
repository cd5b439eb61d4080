#include "grant_table.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr uint32_t kReserved = 8;
// Entries of version 1 in a page, and Xen's default for pages.
constexpr uint32_t kGrantsPerFrame = 512;
constexpr int32_t kDefaultFrames = 64;

uint32_t limitOf(int32_t maxFrames) {
  return static_cast<uint32_t>(maxFrames < 0 ? kDefaultFrames : maxFrames) * kGrantsPerFrame;
}

}  // namespace

GrantTable::GrantTable(int32_t maxFrames) : numbers_(kReserved, std::max(kReserved, limitOf(maxFrames))) {}

void GrantTable::seed(uint32_t gref, uint32_t toDomid, uint64_t pfn) {
  if (grants_.size() < kReserved) grants_.resize(kReserved);
  grants_[gref] = {pfn, static_cast<uint16_t>(toDomid), true, false, 0};
}

uint32_t GrantTable::add(uint32_t toDomid, uint64_t pfn, bool isReadOnly) {
  const uint32_t gref = numbers_.take();
  if (gref == numbers_.limit()) throw HostFailure{"gnttab_grant_access", ENOSPC, "cannot grant: the table is full"};
  if (gref >= grants_.size()) grants_.resize(gref + 1);
  grants_[gref] = {pfn, static_cast<uint16_t>(toDomid), true, isReadOnly, 0};
  return gref;
}

void GrantTable::end(uint32_t gref) {
  const std::string tried = "cannot end grant " + std::to_string(gref);
  if (gref >= grants_.size() || !grants_[gref].isUsed) throw HostFailure{"gnttab_end_access", EINVAL, tried};
  if (grants_[gref].maps != 0) throw HostFailure{"gnttab_end_access", EBUSY, tried};
  grants_[gref] = {};
  if (gref >= kReserved) numbers_.giveBack(gref);
}

GrantTable::Grant& GrantTable::forMapping(uint32_t gref, uint32_t byDomid, bool isForWriting) {
  if (gref >= grants_.size() || !grants_[gref].isUsed || grants_[gref].toDomid != byDomid ||
      (isForWriting && grants_[gref].isReadOnly)) {
    throw HostFailure{"gnttab_map_grant_ref", EINVAL, "cannot map grant " + std::to_string(gref)};
  }
  return grants_[gref];
}

}  // namespace xcl::sim
