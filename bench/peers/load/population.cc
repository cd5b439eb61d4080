#include "population.h"

#include <algorithm>

#include "guest_nodes.h"

namespace xcl::peers {

namespace {

constexpr size_t kWatchesOfOne = 1000;
/** Requests under way; what is answered need not be waited for one by one. */
constexpr size_t kDepth = 64;

/** Waits until there is room for more. */
void leaveRoom(Connection& connection, const Deadline& limit) {
  if (connection.underWay() < kDepth) return;
  connection.flush(limit);
  while (connection.underWay() > kDepth / 2) connection.answer(limit);
}

void finish(Connection& connection, const Deadline& limit) {
  connection.flush(limit);
  connection.drain(limit);
}

}  // namespace

Connection& Population::open() {
  connections_.push_back(std::make_unique<Connection>(target_.socketPath));
  return *connections_.back();
}

void Population::idle(size_t from, size_t to, const Deadline& limit) {
  const size_t first = connections_.size();
  for (; from < to; from++) open().put(Op::kDirectory, 0, path("/"));
  finishFrom(first, limit);
}

void Population::watches(size_t from, size_t to, const Deadline& limit) {
  while (from < to) {
    Connection& connection = open();
    for (const size_t end = std::min(to, from + kWatchesOfOne); from < end; from++) {
      leaveRoom(connection, limit);
      connection.put(Op::kWatch, 0, pair("/bench/unrelated/" + std::to_string(from) + "/node", "token", true));
    }
    finish(connection, limit);
  }
}

void Population::guests(size_t from, size_t to, bool isAll, const Deadline& limit) {
  Connection connection(target_.socketPath);
  for (; from < to; from++) {
    const auto domid = static_cast<uint32_t>(from);
    for (const Step& step : isAll ? xclSteps(domid) : fewSteps(domid)) {
      // Nothing is there yet that would have to go.
      if (step.op == Op::kRemove) continue;
      leaveRoom(connection, limit);
      connection.put(step.op, 0, step.payload);
    }
  }
  finish(connection, limit);
}

void Population::rings(const std::vector<NewDomain>& domains, size_t from, size_t to, const Deadline& limit) {
  Connection connection(target_.socketPath);
  for (; from < std::min(to, domains.size()); from++) {
    leaveRoom(connection, limit);
    connection.put(Op::kIntroduce, 0, introduction(domains[from]));
  }
  finish(connection, limit);
}

void Population::agents(size_t from, size_t to, const Deadline& limit) {
  const size_t first = connections_.size();
  for (; from < to; from++) {
    const std::string home = "/local/domain/" + std::to_string(from);
    Connection& connection = open();
    connection.put(Op::kWatch, 0, pair(home + "/control/shutdown", "a", true));
    connection.put(Op::kWatch, 0, pair(home + "/memory/target", "b", true));
  }
  finishFrom(first, limit);
}

void Population::finishFrom(size_t first, const Deadline& limit) {
  // All ask before anybody is waited for: a daemon that looks at all connections in each turn does it once.
  for (size_t i = first; i < connections_.size(); i++) connections_[i]->flush(limit);
  for (size_t i = first; i < connections_.size(); i++) connections_[i]->drain(limit);
}

void Population::nodes(size_t from, size_t to, const Deadline& limit) {
  Connection connection(target_.socketPath);
  for (; from < to; from++) {
    leaveRoom(connection, limit);
    const std::string folder = "/bench/nodes/" + std::to_string(from / 10'000) + "/" + std::to_string(from / 100 % 100);
    connection.put(Op::kWrite, 0, pair(folder + "/" + std::to_string(from % 100), "0123456789abcde", false));
  }
  finish(connection, limit);
}

}  // namespace xcl::peers
