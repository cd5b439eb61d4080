// What a store has in it, and who is connected, while something else is measured. Made piece by piece.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "creation.h"

namespace xcl::peers {

class Population {
 public:
  explicit Population(Target target) : target_(std::move(target)) {}

  /** Connections from the number `from` up to `to`, each has asked something once. */
  void idle(size_t from, size_t to, const Deadline& limit);
  /** Watches at nodes that nobody writes, a thousand at each connection. */
  void watches(size_t from, size_t to, const Deadline& limit);
  /** The nodes of guests of these domids, which have to be there in Xen; all of them, or the least. */
  void guests(size_t from, size_t to, bool isAll, const Deadline& limit);
  /** Introduces domains of a list. */
  void rings(const std::vector<NewDomain>& domains, size_t from, size_t to, const Deadline& limit);
  /** A connection for each of these guests, with two watches. */
  void agents(size_t from, size_t to, const Deadline& limit);
  /** Nodes without more to them. */
  void nodes(size_t from, size_t to, const Deadline& limit);

 private:
  Connection& open();
  /** Sends what was put into the connections from this one on, and waits for all answers. */
  void finishFrom(size_t first, const Deadline& limit);

  Target target_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace xcl::peers
