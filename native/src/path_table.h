// From the path in a request to the node that it names, in the tables of the store (lixs/store): they lie in
// the state memory (store_layout.h), TypeScript changes them, the path table only looks.
//
// Each step of a look-up waits for memory that is seldom in a cache, as there are many nodes. So the look-ups of
// a batch are made side by side: each asks for what it needs next, and the others go on meanwhile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "connection_record.h"
#include "store_layout.h"

namespace xcl {

/** Memory of the store's tables; outlives the PathTable. */
struct PathTableMemory {
  std::span<const int32_t> buckets;
  std::span<const int32_t> links;
  std::span<const int32_t> nodes;
  std::span<const std::byte> names;
};

class PathTable {
 public:
  explicit PathTable(const PathTableMemory& memory) : memory_(memory) {}

  /**
   * Fills in word 1 of each request in the batch that begins with the path of a node: 0 when there is no such
   * node, when the path is not valid, or when it is too long to be told of; else node | bytes << 22.
   * @param records of the connections, for what relative paths begin with
   */
  void resolve(std::span<int32_t> batch, std::span<const ConnectionRecord> records);

 private:
  enum class Step : uint8_t { kBucket, kLink, kNode, kCompare };

  /** One look-up on its way down. */
  struct Walk {
    int32_t* record;
    /** What is left of the absolute path, or of `home`. */
    const char* at;
    const char* end;
    /** What comes behind `home`. */
    std::string_view rest;
    std::string_view name;
    uint32_t hash;
    size_t bucket;
    /** The node above the name. */
    uint32_t node;
    uint32_t candidate;
    uint32_t pathBytes;
    Step step;
    /** `local/domain/<domid>`. */
    std::array<char, 24> home;
  };
  static constexpr size_t kSideBySide = 16;

  // All of them: false when the walk has ended.
  bool begin(Walk& walk, int32_t* record, std::span<const ConnectionRecord> records) const;
  bool advance(Walk& walk) const;
  bool nextName(Walk& walk) const;
  bool follow(Walk& walk, int32_t candidate) const;
  bool descend(Walk& walk) const;

  const int32_t* linkOf(uint32_t node) const { return &memory_.links[static_cast<size_t>(node) * 2]; }
  const int32_t* rowOf(uint32_t node) const { return &memory_.nodes[node * store_layout::kRowWords]; }

  PathTableMemory memory_;
};

}  // namespace xcl
