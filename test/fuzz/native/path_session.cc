#include "path_session.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>

#include "path_table.h"
#include "violation.h"

namespace fuzz {

namespace {

constexpr size_t kWords = 6;
constexpr size_t kConnection = 0;
constexpr size_t kHint = 1;
constexpr size_t kType = 2;
constexpr size_t kTransaction = 4;
constexpr size_t kLength = 5;
constexpr uint32_t kLongestPayload = 4096;
/** What the ten bits of a hint can tell. */
constexpr size_t kLongestPath = 1023;
constexpr uint32_t kLengthShift = 22;

/** Domains of the connections; the last one has the longest name. */
const std::vector<int32_t> kDomids{0, 1, 7, 65535, INT32_MIN};

/** Types of requests that begin with the path of a node. */
constexpr std::array kHinted{1, 2, 3, 11, 12, 13, 14, 22};
constexpr std::array kOthers{0, 4, 5, 10, 15, 21, 23, 63, 64, 65, 66, 86, INT_MAX, INT_MIN, -1, -62};

size_t wordsOf(std::span<const int32_t> batch, size_t at) {
  return kWords + (static_cast<uint32_t>(batch[at + kLength]) + 3) / 4;
}

}  // namespace

PathSession::PathSession(std::span<const uint8_t> input, Sabotage sabotage)
    : source_(input), sabotage_(sabotage), tree_(source_, kDomids), records_(kDomids.size()) {
  for (size_t i = 0; i < records_.size(); i++) records_[i].domid = kDomids[i];
}

void PathSession::play() {
  do playBatch();
  while (!source_.isOver());
}

void PathSession::playBatch() {
  std::vector<int32_t> asked;
  // More than are looked up side by side, or fewer.
  for (uint32_t more = source_.below(40); more > 0; more--) ask(asked);
  // Of exactly its size, so that reads and writes behind it are noticed.
  const auto batch = std::make_unique<int32_t[]>(asked.size());
  const std::span<int32_t> resolved(batch.get(), asked.size());
  std::ranges::copy(asked, resolved.begin());
  xcl::PathTable(tree_.memory()).resolve(resolved, records_);
  sabotage(resolved);
  for (size_t at = 0; at < asked.size(); at += wordsOf(asked, at)) {
    const std::span<const int32_t> request = std::span<const int32_t>(asked).subspan(at);
    const auto hint = static_cast<uint32_t>(resolved[at + kHint]);
    const uint32_t right = expected(request);
    require(hint == right || right != 0, "a request is told of a node that its path does not name");
    require(hint == right || hint != 0, "a request is not told of the node that its path names");
    require(hint == right, "a request is told of another node, or of another length, than that of its path");
    asked[at + kHint] = resolved[at + kHint];
    messages_++;
  }
  require(std::ranges::equal(asked, resolved), "a look-up writes nothing but hints");
}

void PathSession::ask(std::vector<int32_t>& batch) {
  const uint32_t connection = source_.below(static_cast<uint32_t>(records_.size()));
  const uint8_t kind = source_.byte();
  const int32_t type = kind < 224 ? kHinted[kind % kHinted.size()] : kOthers[kind % kOthers.size()];
  const int32_t transaction = source_.below(8) == 0 ? INT_MIN + source_.byte() : 0;
  const std::string payload = aPayload(connection);
  const size_t at = batch.size();
  batch.insert(batch.end(), {static_cast<int32_t>(connection), 0, type, source_.byte(), transaction,
                             static_cast<int32_t>(payload.size())});
  // What fills the last word is no part of the payload: often it would end the path.
  batch.resize(at + wordsOf(batch, at), source_.below(2) == 0 ? 0 : 0x61616161);
  if (!payload.empty()) std::memcpy(&batch[at + kWords], payload.data(), payload.size());
}

std::string PathSession::aPayload(uint32_t connection) {
  std::string payload = aPath(connection);
  switch (source_.below(8)) {
    case 0:
      break;
    case 1:
      // A NUL somewhere, with more behind it.
      payload.insert(source_.byte() % (payload.size() + 1), 1, '\0');
      break;
    case 2:
      payload.push_back('\0');
      payload.append(source_.size(), static_cast<char>(source_.byte()));
      break;
    default:
      payload.push_back('\0');
      break;
  }
  if (payload.size() > kLongestPayload) payload.resize(kLongestPayload);
  return payload;
}

std::string PathSession::aPath(uint32_t connection) {
  static const std::array<std::string, 16> kParts{"/",  "//", "@",     "@x",   "a",    "b",   "a/b",   "/a",
                                                  "1",  "7",  "local", "kc3d", "uim0", "/35", "lyaaa", "/local/domain/"};
  std::string path;
  switch (source_.below(7)) {
    case 0:
      for (uint32_t more = source_.size(); more > 0; more--) path.push_back(static_cast<char>(source_.byte()));
      return path;
    case 1:
      for (uint32_t more = source_.below(8); more > 0; more--) path += kParts[source_.below(kParts.size())];
      return path;
    case 2: {
      const std::string& part = kParts[source_.below(kParts.size())];
      for (const uint32_t least = source_.size(); path.size() < least;) path += part;
      return path;
    }
    case 3:
      // Of the same hash as a longer name that begins with it.
      return "/a";
    default:
      path = tree_.somePath(source_);
      break;
  }
  const std::string home = "/local/domain/" + std::to_string(records_[connection].domid) + "/";
  if (path.starts_with(home) && source_.below(4) != 0) path.erase(0, home.size());
  switch (source_.below(8)) {
    case 0:
      path += kParts[source_.below(kParts.size())];
      break;
    case 1:
      path.insert(source_.byte() % (path.size() + 1), kParts[source_.below(kParts.size())]);
      break;
    case 2:
      if (!path.empty()) path[source_.byte() % path.size()] = static_cast<char>(source_.byte());
      break;
    case 3:
      if (!path.empty()) path.erase(source_.byte() % path.size(), 1);
      break;
    default:
      break;
  }
  return path;
}

uint32_t PathSession::expected(std::span<const int32_t> request) const {
  if (std::ranges::find(kHinted, request[kType]) == kHinted.end() || request[kTransaction] != 0) return 0;
  const std::string payload(reinterpret_cast<const char*>(&request[0] + kWords), static_cast<size_t>(request[kLength]));
  const size_t bytes = payload.find('\0');
  if (bytes == std::string::npos || bytes == 0 || bytes > kLongestPath) return 0;
  std::string path = payload.substr(0, bytes);
  if (path.starts_with('@')) return 0;
  if (!path.starts_with('/')) {
    const int32_t domid = records_[static_cast<size_t>(request[kConnection])].domid;
    path.insert(0, "/local/domain/" + std::to_string(domid) + "/");
  }
  const uint32_t node = tree_.find(path);
  return node == 0 ? 0 : node | static_cast<uint32_t>(bytes) << kLengthShift;
}

void PathSession::sabotage(std::span<int32_t> batch) const {
  for (size_t at = 0; at < batch.size(); at += wordsOf(batch, at)) {
    int32_t& hint = batch[at + kHint];
    if (hint == 0) continue;
    if (sabotage_ == Sabotage::kLoseHint) hint = 0;
    if (sabotage_ == Sabotage::kWrongHint) hint ^= 1;
  }
}

}  // namespace fuzz
