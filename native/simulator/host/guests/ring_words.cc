#include "ring_words.h"

#include "../../../src/shared_ring.h"

namespace xcl::sim {

namespace {

struct NamedWord {
  std::string_view name;
  uint32_t offset;
};

constexpr NamedWord kWords[] = {
    {"req_cons", kXenstoreRequests.cons},    {"req_prod", kXenstoreRequests.prod},
    {"rsp_cons", kXenstoreReplies.cons},     {"rsp_prod", kXenstoreReplies.prod},
    {"server_features", kXenstoreFeatures}, {"connection", kXenstoreConnection},
    {"error", kXenstoreError},
};

}  // namespace

std::vector<std::string> ringWords(std::byte* ring) {
  std::vector<std::string> lines;
  for (const auto& [name, offset] : kWords) {
    lines.push_back(std::string(name) + "=" + std::to_string(loadShared(ring, offset)));
  }
  return lines;
}

std::optional<uint32_t> ringWordNamed(std::string_view name) {
  for (const NamedWord& word : kWords) {
    if (word.name == name) return word.offset;
  }
  return std::nullopt;
}

}  // namespace xcl::sim
