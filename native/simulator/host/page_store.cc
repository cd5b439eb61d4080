#include "page_store.h"

#include <cerrno>
#include <cstring>

#include "guest_machine.h"

namespace xcl::sim {

PageStore::PageStore() : memory_("xcl-pages", kMaxPages * kPageBytes) {}

uint32_t PageStore::allocate(uint32_t domid) {
  if (free_.empty()) {
    if (facts_.size() == kMaxPages) {
      throw HostFailure{"populate_physmap", ENOMEM, "cannot touch more than " + std::to_string(kMaxPages) + " pages"};
    }
    facts_.push_back({1, domid});
    return static_cast<uint32_t>(facts_.size() - 1);
  }
  const uint32_t page = free_.back();
  free_.pop_back();
  facts_[page] = {1, domid};
  std::memset(at(page), 0, kPageBytes);
  return page;
}

void PageStore::unref(uint32_t page) {
  if (--facts_[page].refs == 0) free_.push_back(page);
}

bool PageStore::isOf(uint64_t page, uint32_t domid) const {
  return page < facts_.size() && facts_[page].refs != 0 && facts_[page].domid == domid;
}

}  // namespace xcl::sim
