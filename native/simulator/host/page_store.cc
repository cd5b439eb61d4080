#include "page_store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

// Free pages that keep their memory for the next guests, and how many beyond that are punched at a time: pages
// that were freed together often lie together, and then one call is for many.
constexpr size_t kReserve = 512;
constexpr size_t kPunchedAtOnce = 512;

}  // namespace

PageStore::PageStore() : memory_("xcl-pages", kMaxPages * kPageBytes) {}

uint32_t PageStore::allocate(uint32_t domid) {
  if (!used_.empty()) {
    const uint32_t page = used_.back();
    used_.pop_back();
    facts_[page] = {1, domid};
    std::memset(at(page), 0, kPageBytes);
    return page;
  }
  if (!empty_.empty()) {
    const uint32_t page = empty_.back();
    empty_.pop_back();
    facts_[page] = {1, domid};
    return page;
  }
  if (facts_.size() == kMaxPages) {
    throw HostFailure{"populate_physmap", ENOMEM, "cannot touch more than " + std::to_string(kMaxPages) + " pages"};
  }
  facts_.push_back({1, domid});
  return static_cast<uint32_t>(facts_.size() - 1);
}

void PageStore::unref(uint32_t page) {
  if (--facts_[page].refs != 0) return;
  used_.push_back(page);
  if (used_.size() >= kReserve + kPunchedAtOnce) punch();
}

void PageStore::punch() {
  const auto end = used_.begin() + static_cast<ptrdiff_t>(kPunchedAtOnce);
  std::sort(used_.begin(), end);
  auto kept = used_.begin();
  for (auto first = used_.begin(); first != end;) {
    auto last = first + 1;
    while (last != end && *last == *(last - 1) + 1) last++;
    const auto from = static_cast<off_t>(*first) * static_cast<off_t>(kPageBytes);
    const auto bytes = (last - first) * static_cast<off_t>(kPageBytes);
    if (fallocate(memory_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes) == 0) {
      empty_.insert(empty_.end(), first, last);
    } else {
      // They keep what they hold, then.
      kept = std::copy(first, last, kept);
    }
    first = last;
  }
  used_.erase(kept, end);
}

bool PageStore::isOf(uint64_t page, uint32_t domid) const {
  return page < facts_.size() && facts_[page].refs != 0 && facts_[page].domid == domid;
}

}  // namespace xcl::sim
