// Clients that ask for as much as one message holds: whole lists, parts of longer ones, large values.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "measurement.h"

namespace xcl::peers {

class Bulk {
 public:
  /** Fills the directories, and writes a large value for each client. @param limit for that */
  Bulk(const Target& target, size_t count, const Deadline& limit);

  /** All at once, `depth` requests of each: each kind of request in turn. An operation is a request. */
  Measurement measure(size_t depth, const Bounds& bounds);

 private:
  using Request = std::pair<Op, std::string>;

  struct Client {
    std::unique_ptr<Connection> connection;
    std::vector<Request> requests;
    size_t next = 0;
  };

  void ask(Client& client, size_t count, const Deadline& limit);

  Target target_;
  std::vector<Client> clients_;
};

}  // namespace xcl::peers
