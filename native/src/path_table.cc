#include "path_table.h"

#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "store_layout.h"

namespace xcl {

using namespace store_layout;  // names of that page only

namespace {

constexpr size_t kRecordWords = 6;
constexpr size_t kHint = 1;
constexpr size_t kType = 2;
constexpr size_t kTxId = 4;
constexpr size_t kLen = 5;

// Requests that begin with the path of a node (xs_wire.h).
constexpr uint64_t bit(unsigned type) { return 1ULL << type; }
constexpr uint32_t kTypes = 64;
constexpr uint64_t kNamesNode = bit(1) /* DIRECTORY */ | bit(2) /* READ */ | bit(3) /* GET_PERMS */ |
                                bit(11) /* WRITE */ | bit(12) /* MKDIR */ | bit(13) /* RM */ | bit(14) /* SET_PERMS */ |
                                bit(22) /* DIRECTORY_PART */;

// The result: 22 bits for the node, 10 for the length.
constexpr uint32_t kNodeBits = 22;
constexpr size_t kPathBytesMax = (1U << (32 - kNodeBits)) - 1;

constexpr uint32_t kRoot = 1;
constexpr size_t kSecondLine = 16;

uint32_t finish(uint32_t hash) {
  uint32_t mixed = (hash ^ (hash >> 16)) * 0x7feb352dU;
  mixed = (mixed ^ (mixed >> 15)) * 0x846ca68bU;
  return mixed ^ (mixed >> 16);
}

// hashBytes of lixs/store/hash-index.ts.
uint32_t hashBytes(uint32_t seed, std::string_view bytes) {
  uint32_t hash = seed;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x5bd1e995U;
    hash ^= hash >> 15;
  }
  return finish(hash);
}

constexpr std::string_view kHome = "local/domain/";

}  // namespace

void PathTable::resolve(std::span<int32_t> batch, std::span<const ConnectionRecord> records) {
  std::array<Walk, kSideBySide> walks;
  std::array<uint8_t, kSideBySide> going;
  size_t count = 0;
  size_t at = 0;
  const auto begins = [&](Walk& walk) {
    while (at < batch.size()) {
      int32_t* record = batch.data() + at;
      at += kRecordWords + (static_cast<size_t>(static_cast<uint32_t>(record[kLen])) + 3) / 4;
      if (begin(walk, record, records)) return true;
    }
    return false;
  };
  while (count < walks.size() && begins(walks[count])) {
    going[count] = static_cast<uint8_t>(count);
    count++;
  }
  while (count > 0) {
    for (size_t i = 0; i < count;) {
      Walk& walk = walks[going[i]];
      if (advance(walk) || begins(walk)) {
        i++;
      } else {
        going[i] = going[--count];
      }
    }
  }
}

bool PathTable::begin(Walk& walk, int32_t* record, std::span<const ConnectionRecord> records) const {
  const auto type = static_cast<uint32_t>(record[kType]);
  const auto len = static_cast<uint32_t>(record[kLen]);
  // What a transaction sees is known to TypeScript only.
  if (type >= kTypes || (kNamesNode & bit(type)) == 0 || len == 0 || record[kTxId] != 0) return false;
  const char* path = reinterpret_cast<const char*>(record + kRecordWords);
  const void* nul = std::memchr(path, 0, len);
  if (nul == nullptr) return false;
  const auto bytes = static_cast<size_t>(static_cast<const char*>(nul) - path);
  // A special path is not relative, whatever names there are at home.
  if (bytes == 0 || bytes > kPathBytesMax || path[0] == '@') return false;
  walk.record = record;
  walk.pathBytes = static_cast<uint32_t>(bytes);
  walk.node = kRoot;
  if (path[0] == '/') {
    walk.at = path + 1;
    walk.end = path + bytes;
    walk.rest = {};
  } else {
    char* home = walk.home.data();
    std::memcpy(home, kHome.data(), kHome.size());
    const int32_t domid = records[static_cast<uint32_t>(record[0])].domid;
    walk.at = home;
    walk.end = std::to_chars(home + kHome.size(), home + walk.home.size(), domid).ptr;
    walk.rest = {path, bytes};
  }
  return nextName(walk);
}

// @returns false: there is none, or an empty one, which no node has
bool PathTable::nextName(Walk& walk) const {
  const auto left = static_cast<size_t>(walk.end - walk.at);
  if (left == 0) return false;
  const void* slash = std::memchr(walk.at, '/', left);
  const char* nameEnd = slash == nullptr ? walk.end : static_cast<const char*>(slash);
  walk.name = {walk.at, static_cast<size_t>(nameEnd - walk.at)};
  // A slash at the very end has an empty name behind it.
  walk.at = nameEnd;
  if (walk.name.empty()) return false;
  walk.hash = hashBytes(static_cast<uint32_t>(memory_.buckets[kSeed]) ^ (walk.node * 0x9e3779b1U), walk.name);
  walk.bucket = bucketOf(memory_.buckets, walk.hash);
  __builtin_prefetch(&memory_.buckets[walk.bucket]);
  walk.step = Step::kBucket;
  return true;
}

bool PathTable::advance(Walk& walk) const {
  switch (walk.step) {
    case Step::kBucket:
      return follow(walk, memory_.buckets[walk.bucket]);
    case Step::kLink:
      if (static_cast<uint32_t>(linkOf(walk.candidate)[1]) != walk.hash) return follow(walk, linkOf(walk.candidate)[0]);
      __builtin_prefetch(rowOf(walk.candidate));
      walk.step = Step::kNode;
      return true;
    case Step::kNode: {
      const int32_t* row = rowOf(walk.candidate);
      if (static_cast<uint32_t>(row[kParent]) != walk.node || static_cast<uint32_t>(row[kNameLength]) != walk.name.size()) {
        return follow(walk, linkOf(walk.candidate)[0]);
      }
      __builtin_prefetch(&memory_.names[static_cast<size_t>(static_cast<uint32_t>(row[kName])) * kBlockUnit]);
      walk.step = Step::kCompare;
      return true;
    }
    case Step::kCompare: {
      const int32_t* row = rowOf(walk.candidate);
      const std::byte* name = &memory_.names[static_cast<size_t>(static_cast<uint32_t>(row[kName])) * kBlockUnit];
      if (std::memcmp(name, walk.name.data(), walk.name.size()) != 0) return follow(walk, linkOf(walk.candidate)[0]);
      walk.node = walk.candidate;
      return descend(walk);
    }
  }
  return false;
}

// @returns false: nothing more stands in the bucket
bool PathTable::follow(Walk& walk, int32_t candidate) const {
  if (candidate == 0) return false;
  walk.candidate = static_cast<uint32_t>(candidate);
  __builtin_prefetch(linkOf(walk.candidate));
  walk.step = Step::kLink;
  return true;
}

bool PathTable::descend(Walk& walk) const {
  if (walk.at != walk.end) {
    walk.at++;
    // Behind the last slash there has to be something.
    return nextName(walk);
  }
  if (!walk.rest.empty()) {
    walk.at = walk.rest.data();
    walk.end = walk.at + walk.rest.size();
    walk.rest = {};
    return nextName(walk);
  }
  const int32_t* row = rowOf(walk.node);
  if (row[kExists] == 0 || (walk.node >> kNodeBits) != 0) return false;
  // What is done with it reads both.
  __builtin_prefetch(row + kSecondLine);
  __builtin_prefetch(&memory_.names[static_cast<size_t>(static_cast<uint32_t>(row[kValue])) * kBlockUnit]);
  walk.record[kHint] = static_cast<int32_t>(walk.node | (walk.pathBytes << kNodeBits));
  return false;
}

}  // namespace xcl
