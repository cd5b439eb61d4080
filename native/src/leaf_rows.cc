#include "leaf_rows.h"

#include <array>
#include <cerrno>
#include <string>

#include "failure.h"
#include "store_layout.h"

namespace xcl {

using namespace store_layout;  // names of that page only

namespace {

// CLASS_UNITS of value-arena.ts.
constexpr std::array<uint32_t, 18> kClassUnits = {1,  2,  3,  4,  6,   8,   12,  16,  24,
                                                  32, 48, 64, 96, 128, 192, 256, 512, 1024};
// The bytes of so many nodes together fit into a word.
constexpr uint32_t kRowsAtOnce = 65536;
constexpr size_t kLineWords = 16;

}  // namespace

LeafRows::Removed LeafRows::remove(uint32_t parent, uint32_t from) {
  Removed removed{from, 0, 0};
  accounts_.clear();
  uint32_t kept = static_cast<uint32_t>(rowOf(from)[kPreviousSibling]);
  uint32_t id = from;
  for (; id != 0 && removed.count < kRowsAtOnce; id = removed.next) {
    int32_t* row = rowOf(id);
    removed.next = static_cast<uint32_t>(row[kNextSibling]);
    if (removed.next != 0) fetch(removed.next);
    if (!isFreeLeaf(row)) {
      joinSiblings(parent, kept, id);
      kept = id;
      continue;
    }
    Account* account = accountOf(row);
    if (account == nullptr) break;
    unindex(id);
    account->count++;
    account->bytes += static_cast<uint32_t>(row[kNameLength]) + static_cast<uint32_t>(row[kValueLength]);
    removed.count++;
    removed.nameBytes += static_cast<uint32_t>(row[kNameLength]);
    disown(row);
    freeBlock(row[kValue]);
    freeBlock(row[kName]);
    row[kFreeRow] = memory_.nodes[kFreeRow];
    memory_.nodes[kFreeRow] = static_cast<int32_t>(id);
  }
  removed.next = id;
  joinSiblings(parent, kept, id);
  memory_.nodes[kRowsInUse] -= static_cast<int32_t>(removed.count);
  rowOf(parent)[kChildCount] -= static_cast<int32_t>(removed.count);
  rowOf(parent)[kChildListBytes] -= static_cast<int32_t>(removed.nameBytes + removed.count);
  return removed;
}

int32_t* LeafRows::rowOf(uint32_t id) const { return &memory_.nodes[static_cast<size_t>(id) * kRowWords]; }

bool LeafRows::isFreeLeaf(const int32_t* row) const {
  return (row[kFirstChild] | row[kPins] | row[kFirstWatch] | row[kGhostChildren]) == 0 &&
         static_cast<size_t>(row[kOwner]) < memory_.domains.size() / kDomainWords;
}

LeafRows::Account* LeafRows::accountOf(const int32_t* row) {
  for (Account& account : accounts_) {
    if (account.perms == row[kPerms] && account.owner == row[kOwner]) return &account;
  }
  if (accounts_.size() == kAccounts) return nullptr;
  return &accounts_.emplace_back(Account{row[kOwner], row[kPerms], 0, 0});
}

void LeafRows::joinSiblings(uint32_t parent, uint32_t left, uint32_t right) {
  (left != 0 ? rowOf(left)[kNextSibling] : rowOf(parent)[kFirstChild]) = static_cast<int32_t>(right);
  (right != 0 ? rowOf(right)[kPreviousSibling] : rowOf(parent)[kLastChild]) = static_cast<int32_t>(left);
}

void LeafRows::disown(const int32_t* row) {
  int32_t* domain = &memory_.domains[static_cast<size_t>(row[kOwner]) * kDomainWords];
  const int32_t next = row[kNextOwned];
  const int32_t previous = row[kPreviousOwned];
  (next != 0 ? rowOf(static_cast<uint32_t>(next))[kPreviousOwned] : domain[kLastNode]) = previous;
  (previous != 0 ? rowOf(static_cast<uint32_t>(previous))[kNextOwned] : domain[kFirstNode]) = next;
}

void LeafRows::fetch(uint32_t id) const {
  const int32_t* row = rowOf(id);
  __builtin_prefetch(row, 1);
  __builtin_prefetch(row + kLineWords);
  __builtin_prefetch(&memory_.links[static_cast<size_t>(id) * 2]);
}

void LeafRows::unindex(uint32_t id) {
  const auto linkOf = [this](uint32_t of) { return &memory_.links[static_cast<size_t>(of) * 2]; };
  int32_t* place = &memory_.buckets[bucketOf(memory_.buckets, static_cast<uint32_t>(linkOf(id)[1]))];
  while (static_cast<uint32_t>(*place) != id) {
    if (*place == 0) throw Failure("store index", EINVAL, "node " + std::to_string(id) + " is not in its bucket");
    place = linkOf(static_cast<uint32_t>(*place));
  }
  *place = linkOf(id)[0];
  memory_.buckets[kIndexUsed]--;
}

// As ValueArena.free.
void LeafRows::freeBlock(int32_t ref) {
  if (ref == 0) return;
  const auto number = static_cast<int32_t>(static_cast<uint32_t>(ref) / kSlabUnits);
  int32_t* slab = slabAt(number);
  const auto capacity = static_cast<int32_t>(kSlabUnits / kClassUnits[static_cast<size_t>(slab[kSlabClass])]);
  const bool wasFull = slab[kSlabUsed] == capacity;
  memory_.blocks[static_cast<size_t>(ref) * kUnitWords] = slab[kSlabFirstFree];
  slab[kSlabFirstFree] = ref;
  slab[kSlabUsed]--;
  memory_.heads[kBlocksInUse]--;
  if (slab[kSlabUsed] == 0) {
    if (!wasFull) unlinkSlab(slab);
    slab[kSlabNext] = memory_.heads[kFreeSlab];
    memory_.heads[kFreeSlab] = number;
    memory_.heads[kSlabsInUse]--;
  } else if (wasFull) {
    linkSlab(slab, number);
  }
}

void LeafRows::unlinkSlab(int32_t* slab) {
  const int32_t next = slab[kSlabNext];
  const int32_t previous = slab[kSlabPrevious];
  if (next != 0) slabAt(next)[kSlabPrevious] = previous;
  if (previous != 0) {
    slabAt(previous)[kSlabNext] = next;
  } else {
    memory_.heads[kFirstHead + static_cast<size_t>(slab[kSlabClass])] = next;
  }
}

void LeafRows::linkSlab(int32_t* slab, int32_t number) {
  int32_t& head = memory_.heads[kFirstHead + static_cast<size_t>(slab[kSlabClass])];
  slab[kSlabNext] = head;
  slab[kSlabPrevious] = 0;
  if (head != 0) slabAt(head)[kSlabPrevious] = number;
  head = number;
}

int32_t* LeafRows::slabAt(int32_t number) const { return &memory_.slabs[static_cast<size_t>(number) * kSlabWords]; }

}  // namespace xcl
