// How the tables of the store (lixs/store) lie in the state memory: what native code has to know of them.
//
//   index   used, count, mask, seed, … (16 words) │ first id of each bucket     lixs/store/hash-index.ts
//   links   per id: next id in its bucket, hash
//   nodes   per id: 28 words; row 0: first free row, highest id, rows in use    lixs/store/node-table.ts, row-table.ts
//   blocks  bytes, named in units of 16                                         lixs/store/value-arena.ts
//   slabs   per 64 KiB of blocks: 8 words
//   heads   of the free slabs, of each class's slabs with room
//   domains per domid: 16 words                                                 lixs/store/domains.ts
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xcl::store_layout {

inline constexpr size_t kIndexUsed = 0;
inline constexpr size_t kBucketCount = 1;
inline constexpr size_t kMask = 2;
inline constexpr size_t kSeed = 3;
inline constexpr size_t kFirstBucket = 16;

inline constexpr size_t kRowWords = 28;
inline constexpr size_t kParent = 0;
inline constexpr size_t kExists = 1;
inline constexpr size_t kName = 2;
inline constexpr size_t kNameLength = 3;
inline constexpr size_t kValue = 4;
inline constexpr size_t kValueLength = 5;
inline constexpr size_t kPerms = 6;
inline constexpr size_t kFirstChild = 7;
inline constexpr size_t kLastChild = 8;
inline constexpr size_t kNextSibling = 9;
inline constexpr size_t kPreviousSibling = 10;
inline constexpr size_t kChildCount = 11;
inline constexpr size_t kChildListBytes = 12;
inline constexpr size_t kGhostChildren = 13;
inline constexpr size_t kPins = 14;
inline constexpr size_t kOwner = 15;
inline constexpr size_t kNextOwned = 16;
inline constexpr size_t kPreviousOwned = 17;
inline constexpr size_t kFirstWatch = 18;
/** In row 0, and word 0 of a free row. */
inline constexpr size_t kFreeRow = 0;
inline constexpr size_t kRowsInUse = 2;

inline constexpr size_t kBlockUnit = 16;
inline constexpr size_t kUnitWords = kBlockUnit / sizeof(int32_t);
inline constexpr uint32_t kSlabUnits = 65536 / kBlockUnit;
inline constexpr size_t kSlabWords = 8;
inline constexpr size_t kSlabClass = 0;
inline constexpr size_t kSlabUsed = 1;
inline constexpr size_t kSlabFirstFree = 2;
inline constexpr size_t kSlabNext = 4;
inline constexpr size_t kSlabPrevious = 5;
inline constexpr size_t kFreeSlab = 0;
inline constexpr size_t kBlocksInUse = 2;
inline constexpr size_t kSlabsInUse = 3;
inline constexpr size_t kFirstHead = 8;

inline constexpr size_t kDomainWords = 16;
inline constexpr size_t kFirstNode = 3;
inline constexpr size_t kLastNode = 4;

/** Word at which the bucket of a hash lies. */
inline size_t bucketOf(std::span<const int32_t> buckets, uint32_t hash) {
  const auto mask = static_cast<uint32_t>(buckets[kMask]);
  const uint32_t wide = hash & (mask * 2 + 1);
  return kFirstBucket + (wide < static_cast<uint32_t>(buckets[kBucketCount]) ? wide : hash & mask);
}

}  // namespace xcl::store_layout
