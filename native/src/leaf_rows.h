// Takes nodes that nothing hangs on out of the tables of the store, many at once: out of the index, their names and
// values, their rows. A directory of ten thousand goes in a quarter of the time that TypeScript takes, and from the
// first time on, when V8 has compiled nothing yet. What is shared with others (the list of the parent's children, the
// owner's account, permission lists) is TypeScript's to settle, once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xcl {

/** Memory of the store's tables, as store_layout.h says; outlives the LeafRows. */
struct LeafRowsMemory {
  std::span<int32_t> buckets;
  std::span<int32_t> links;
  std::span<int32_t> nodes;
  std::span<int32_t> blocks;
  std::span<int32_t> slabs;
  std::span<int32_t> heads;
};

class LeafRows {
 public:
  /** Neighbours both among their parent's children and among their owner's nodes, with the same permissions. */
  struct Run {
    uint32_t last;
    uint32_t count;
    /** The child behind the last. */
    uint32_t next;
    uint32_t nameBytes;
    uint32_t valueBytes;
  };

  explicit LeafRows(const LeafRowsMemory& memory) : memory_(memory) {}

  /**
   * Frees a leaf and those behind it, as far as they are a run of leaves that nobody holds.
   * @throws Failure when the index does not know one of them: it was broken before
   */
  Run remove(uint32_t first);

 private:
  int32_t* rowOf(uint32_t id) const;
  bool isFreeLeaf(uint32_t id) const;
  void fetch(uint32_t id) const;
  void unindex(uint32_t id);
  void freeBlock(int32_t ref);
  void unlinkSlab(int32_t* slab);
  void linkSlab(int32_t* slab, int32_t number);
  int32_t* slabAt(int32_t number) const;

  LeafRowsMemory memory_;
};

}  // namespace xcl
