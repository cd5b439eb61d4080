// Takes nodes that nothing hangs on out of the tables of the store, many at once: out of the index, out of the lists of
// their parent's children and their owner's nodes, their names and values, their rows. A directory of ten thousand goes
// in a quarter of the time that TypeScript takes, and from the first time on, when V8 has compiled nothing yet. What has
// to be said to others (the owners' accounts, the users of permission lists) is TypeScript's to settle, once for all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace xcl {

/** Memory of the store's tables, as store_layout.h says; outlives the LeafRows. */
struct LeafRowsMemory {
  std::span<int32_t> buckets;
  std::span<int32_t> links;
  std::span<int32_t> nodes;
  std::span<int32_t> blocks;
  std::span<int32_t> slabs;
  std::span<int32_t> heads;
  std::span<int32_t> domains;
};

class LeafRows {
 public:
  /** So many are kept in one go. */
  static constexpr size_t kAccounts = 32;

  /** What went of one owner with one permission list. */
  struct Account {
    int32_t owner;
    int32_t perms;
    uint32_t count;
    /** Of names and values. */
    uint32_t bytes;
  };

  struct Removed {
    /** The child from which on nothing was done; 0: all were looked at. */
    uint32_t next;
    uint32_t count;
    uint32_t nameBytes;
  };

  explicit LeafRows(const LeafRowsMemory& memory) : memory_(memory) { accounts_.reserve(kAccounts); }

  /**
   * Frees a node's leaves that nobody holds, from one of its children on, until there is no account left for one.
   * @throws Failure when the index does not know one of them: it was broken before
   */
  Removed remove(uint32_t parent, uint32_t from);

  /** Of the last `remove`. */
  const std::vector<Account>& accounts() const { return accounts_; }

 private:
  int32_t* rowOf(uint32_t id) const;
  bool isFreeLeaf(const int32_t* row) const;
  /** @returns null when there is no room for another one */
  Account* accountOf(const int32_t* row);
  /** @param left 0: the right one is the parent's first child  @param right 0: the left one is its last */
  void joinSiblings(uint32_t parent, uint32_t left, uint32_t right);
  void disown(const int32_t* row);
  void fetch(uint32_t id) const;
  void unindex(uint32_t id);
  void freeBlock(int32_t ref);
  void unlinkSlab(int32_t* slab);
  void linkSlab(int32_t* slab, int32_t number);
  int32_t* slabAt(int32_t number) const;

  LeafRowsMemory memory_;
  std::vector<Account> accounts_;
};

}  // namespace xcl
