// A small tree, made of an input, twice: as the tables that native code looks into, which the store
// (lixs/store/hash-index.ts, node-table.ts) lays out as native/src/store_layout.h says, and as a plain map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "action_source.h"
#include "path_table.h"

namespace fuzz {

class PathTree {
 public:
  /** @param homes domains that may have a home in it */
  PathTree(ActionSource& source, const std::vector<int32_t>& homes);

  /** Every table ends where its last word or byte is, so that a look behind it is noticed. */
  xcl::PathTableMemory memory() const { return {buckets_, links_, nodes_, names_}; }

  /** By comparing whole paths. @returns 0: no node below the root has this absolute path */
  uint32_t find(const std::string& path) const;
  /** A path of one of the nodes, of the root or of what does not exist. */
  const std::string& somePath(ActionSource& source) const;

 private:
  struct Entry {
    uint32_t id;
    bool exists;
  };

  uint32_t add(uint32_t parent, const std::string& name, bool exists);
  uint32_t hashOf(uint32_t parent, const std::string& name) const;
  std::string aName(ActionSource& source) const;
  void requireCollision(uint32_t parent, const std::string& name, uint32_t otherParent, const std::string& other) const;

  std::vector<int32_t> buckets_;
  std::vector<int32_t> links_;
  std::vector<int32_t> nodes_;
  std::vector<std::byte> names_;
  std::map<std::string, Entry> entries_;
  /** By id; nothing else has the ids below that of the root. */
  std::vector<std::string> paths_;
};

}  // namespace fuzz
