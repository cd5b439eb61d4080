// What one domain has of the machine's memory: how much is its own, and the pages of it that were touched.
#pragma once

#include <cstdint>
#include <vector>

#include "page_store.h"

namespace xcl::sim {

/** Host memory that is nobody's, in KiB. */
class FreeMemory {
 public:
  explicit FreeMemory(uint64_t kib) : kib_(kib) {}
  uint64_t kib() const { return kib_; }
  /** @returns false, and takes nothing, when there is less */
  bool take(uint64_t kib) {
    if (kib > kib_) return false;
    kib_ -= kib;
    return true;
  }
  void giveBack(uint64_t kib) { kib_ += kib; }

 private:
  uint64_t kib_;
};

class DomainMemory {
 public:
  DomainMemory(PageStore& store, FreeMemory& free, uint32_t domid, bool isPvh)
      : store_(store), free_(free), domid_(domid), isPvh_(isPvh) {}
  ~DomainMemory();

  /** Takes host memory for what Xen keeps of the domain besides its pages. @returns false: there is no more */
  bool claimOverhead(uint64_t kib);
  /** The same for the tables of its address space; asked for again, the pool gets the new size. */
  bool claimPool(uint64_t kib);
  /** Gives the domain its pages. @returns false: the host has less */
  bool populate(uint64_t kib);
  bool isPopulated() const { return pages_ != 0; }
  uint64_t ownKiB() const;

  /** The index of a page in the store, made at the first touch. @throws HostFailure ENOMEM beyond its memory */
  uint32_t page(uint64_t pfn);
  /** The store's index of a frame as dom0 names it. @returns false: the domain has no such frame */
  bool pageOfFrame(uint64_t gfn, uint32_t& page);
  /** How dom0 names a page. */
  uint64_t frameOf(uint64_t pfn);

  uint64_t allocate();
  void release(uint64_t pfn);

  uint64_t storePfn() const;
  uint64_t consolePfn() const;

 private:
  struct Touched {
    uint64_t pfn = 0;
    uint32_t page = 0;
  };

  bool has(uint64_t pfn) const;
  /** The first touched page that is not below `pfn`. */
  std::vector<Touched>::iterator seek(uint64_t pfn);

  PageStore& store_;
  FreeMemory& free_;
  uint32_t domid_;
  bool isPvh_;
  uint64_t overheadKiB_ = 0;
  uint64_t poolKiB_ = 0;
  uint64_t pages_ = 0;
  /** In ascending order of pfn: a guest has a handful. */
  std::vector<Touched> touched_;
  uint64_t nextPfn_ = 0;
  std::vector<uint64_t> freePfns_;
};

}  // namespace xcl::sim
