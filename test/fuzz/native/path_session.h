// One input, played: batches of requests whose paths native code looks up in a small tree, and the oracle,
// which looks each up once more by comparing whole paths. What is promised (native/src/path_table.h):
//
//   - the request of a path that is a node's is told the node and the length of the path
//   - no other request is told anything; nor is one in a transaction, or one of a special path (`@…`)
//   - nothing but the hints is written, and nothing outside of the batch and the tables is read
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "action_source.h"
#include "connection_record.h"
#include "path_tree.h"
#include "sabotage.h"

namespace fuzz {

class PathSession {
 public:
  PathSession(std::span<const uint8_t> input, Sabotage sabotage);

  /** Plays the input to its end. @throws Violation */
  void play();
  /** Requests that were looked at. */
  uint64_t messages() const { return messages_; }

 private:
  void playBatch();
  /** Appends a request. */
  void ask(std::vector<int32_t>& batch);
  std::string aPayload(uint32_t connection);
  std::string aPath(uint32_t connection);
  /** What word 1 of a request has to be. */
  uint32_t expected(std::span<const int32_t> request) const;
  void sabotage(std::span<int32_t> batch) const;

  ActionSource source_;
  const Sabotage sabotage_;
  PathTree tree_;
  std::vector<xcl::ConnectionRecord> records_;
  uint64_t messages_ = 0;
};

}  // namespace fuzz
