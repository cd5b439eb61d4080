#include "path_tree.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "violation.h"

namespace fuzz {

namespace {

constexpr uint32_t kRoot = 1;
constexpr size_t kHeader = 16;
constexpr size_t kBucketCount = 1;
constexpr size_t kMask = 2;
constexpr size_t kSeed = 3;
constexpr size_t kRow = 28;
constexpr size_t kNameUnit = 16;
/** Known, so that names whose hashes are the same could be looked for. */
constexpr int32_t kSeedOfTree = 12345;

uint32_t finish(uint32_t hash) {
  hash = (hash ^ (hash >> 16)) * 0x7feb352dU;
  hash = (hash ^ (hash >> 15)) * 0x846ca68bU;
  return hash ^ (hash >> 16);
}

}  // namespace

PathTree::PathTree(ActionSource& source, const std::vector<int32_t>& homes) {
  // Half of the buckets may be split.
  const uint32_t mask = source.below(2) == 0 ? 15 : 31;
  const uint32_t buckets = mask + 1 + source.below(mask + 1);
  buckets_.assign(kHeader + buckets, 0);
  buckets_[kBucketCount] = static_cast<int32_t>(buckets);
  buckets_[kMask] = static_cast<int32_t>(mask);
  buckets_[kSeed] = kSeedOfTree;
  links_.assign(2 * (kRoot + 1), 0);
  nodes_.assign(kRow * (kRoot + 1), 0);
  nodes_[kRow * kRoot + 1] = 1;
  paths_.assign(kRoot + 1, "");

  const uint32_t local = add(kRoot, "local", true);
  const uint32_t domain = add(local, "domain", true);
  for (const int32_t domid : homes) {
    const uint32_t home = add(domain, std::to_string(domid), source.below(8) != 0);
    if (source.below(2) == 0) add(home, "a", true);
  }
  // The same hash: of names of one length, of two lengths, below two nodes.
  requireCollision(kRoot, "kc3d", kRoot, "uim0");
  requireCollision(kRoot, "m2no", kRoot, "lyaaa");
  requireCollision(kRoot, "35cf", local, "uqpa");
  // And of a name with which another one begins: nothing but their lengths tells them apart.
  requireCollision(kRoot, "a", kRoot, "atiolflca");
  if (source.below(4) != 0) add(kRoot, "atiolflca", true);
  for (const char* name : {"kc3d", "uim0", "m2no", "lyaaa", "35cf"}) {
    if (source.below(4) != 0) add(kRoot, name, true);
  }
  if (source.below(2) == 0) add(local, "uqpa", true);
  for (uint32_t more = source.below(48); more > 0; more--) {
    const uint32_t parent = kRoot + source.below(static_cast<uint32_t>(paths_.size()) - kRoot);
    add(parent, aName(source), source.below(4) != 0);
  }
  for (auto* table : {&links_, &nodes_}) table->shrink_to_fit();
  names_.shrink_to_fit();
}

uint32_t PathTree::find(const std::string& path) const {
  const auto entry = entries_.find(path);
  return entry == entries_.end() || !entry->second.exists ? 0 : entry->second.id;
}

const std::string& PathTree::somePath(ActionSource& source) const {
  return paths_[kRoot + source.below(static_cast<uint32_t>(paths_.size()) - kRoot)];
}

/** @returns the id; of what is there already, if so */
uint32_t PathTree::add(uint32_t parent, const std::string& name, bool exists) {
  const std::string path = paths_[parent] + "/" + name;
  const auto id = static_cast<uint32_t>(paths_.size());
  const auto [entry, isNew] = entries_.emplace(path, Entry{id, exists});
  if (!isNew) return entry->second.id;
  paths_.push_back(path);
  const uint32_t hash = hashOf(parent, name);
  // Linear hashing, as told in hash-index.ts: what is split already takes one bit more.
  const auto mask = static_cast<uint32_t>(buckets_[kMask]);
  uint32_t bucket = hash % (2 * (mask + 1));
  if (bucket >= static_cast<uint32_t>(buckets_[kBucketCount])) bucket = hash % (mask + 1);
  int32_t& first = buckets_[kHeader + bucket];
  links_.push_back(first);
  links_.push_back(static_cast<int32_t>(hash));
  first = static_cast<int32_t>(id);
  const size_t row = nodes_.size();
  nodes_.resize(row + kRow);
  nodes_[row] = static_cast<int32_t>(parent);
  nodes_[row + 1] = exists ? 1 : 0;
  // Each name begins a unit; behind the last one nothing follows.
  const size_t unit = (names_.size() + kNameUnit - 1) / kNameUnit;
  nodes_[row + 2] = static_cast<int32_t>(unit);
  nodes_[row + 3] = static_cast<int32_t>(name.size());
  names_.resize(unit * kNameUnit + name.size());
  std::memcpy(&names_[unit * kNameUnit], name.data(), name.size());
  return id;
}

uint32_t PathTree::hashOf(uint32_t parent, const std::string& name) const {
  uint32_t hash = static_cast<uint32_t>(kSeedOfTree) ^ (parent * 0x9e3779b1U);
  for (const char one : name) {
    hash = (hash ^ static_cast<uint8_t>(one)) * 0x5bd1e995U;
    hash ^= hash >> 15;
  }
  return finish(hash);
}

std::string PathTree::aName(ActionSource& source) const {
  static const std::array<std::string, 10> kNames{"a", "b", "@x", "@", "1", "7", "local", "domain", "a@", "0"};
  const uint32_t kind = source.below(16);
  if (kind < 13) return kNames[kind % kNames.size()];
  // Long ones, up to what a hint can just not tell any more: a path of 1023 bytes.
  static constexpr std::array<size_t, 8> kLengths{15, 16, 17, 255, 1008, 1021, 1022, 1023};
  return std::string(kLengths[source.below(kLengths.size())], kind == 13 ? 'a' : 'n');
}

void PathTree::requireCollision(uint32_t parent, const std::string& name, uint32_t otherParent,
                                const std::string& other) const {
  require(hashOf(parent, name) == hashOf(otherParent, other), "the names were chosen to have the same hash");
}

}  // namespace fuzz
