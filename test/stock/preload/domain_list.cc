#include "domain_list.h"

#include <algorithm>
#include <cstring>

namespace xcl::stock {

const std::vector<DomainList::Facts>& DomainList::from(uint32_t first, uint32_t most) {
  answer_.clear();
  if (most != 1 || ++asked_ < kAsksForAll) {
    fetch(first, most, answer_);
    return answer_;
  }
  if (asked_ == kAsksForAll) fetchAll();
  const auto found = std::lower_bound(all_.begin(), all_.end(), first,
                                      [](const Facts& facts, uint32_t domid) { return facts.domid < domid; });
  if (found != all_.end()) answer_.push_back(*found);
  return answer_;
}

uint32_t DomainList::fetch(uint32_t first, uint32_t most, std::vector<Facts>& into) {
  const auto answer = link_.call(sim::Op::kList, {}, {first, std::min(most, sim::kListedAtOnce)});
  const auto count = static_cast<uint32_t>(answer.payload.size() / sizeof(Facts));
  const size_t before = into.size();
  into.resize(before + count);
  std::memcpy(into.data() + before, answer.payload.data(), count * sizeof(Facts));
  return count;
}

void DomainList::fetchAll() {
  all_.clear();
  uint32_t first = 0;
  while (fetch(first, sim::kListedAtOnce, all_) == sim::kListedAtOnce) first = all_.back().domid + 1;
}

}  // namespace xcl::stock
