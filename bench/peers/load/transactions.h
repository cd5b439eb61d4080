// Clients that do one transaction after the other: ten writes, then reads of two of those, a request at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "measurement.h"

namespace xcl::peers {

class Transactions {
 public:
  /** @param isShared all write the same nodes; else each its own */
  Transactions(const Target& target, size_t count, bool isShared, const Deadline& limit);

  /** An operation is a transaction that was committed; its time is from its first START on. */
  Measurement measure(const Bounds& bounds);

 private:
  struct Client {
    std::unique_ptr<Connection> connection;
    std::string folder;
    size_t step = 0;
    uint32_t txId = 0;
    uint64_t begunNs = 0;
    bool isRetry = false;
  };

  void ask(Client& client, const Deadline& limit);
  /** Takes the answer to a step. @returns whether the transaction is committed */
  bool goOn(Client& client, const Message& message, Measurement& found);

  Target target_;
  std::vector<Client> clients_;
};

}  // namespace xcl::peers
