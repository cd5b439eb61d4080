// Connections that are all busy: each has a node of its own and keeps so many requests under way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "connection.h"
#include "measurement.h"

namespace xcl::peers {

/** What one measurement is given. */
struct Bounds {
  /** How long it goes on, and when it is given up. */
  double seconds;
  double limitSeconds;
};

/** What there is to be measured, for everybody who measures. */
struct Target {
  std::string socketPath;
  int pid;
};

class Clients {
 public:
  /** Opens them; each writes its node once. @param limit for that */
  Clients(const Target& target, size_t count, const Deadline& limit);

  /** All at once, `depth` requests of each. */
  Measurement allBusy(Op op, size_t depth, const Bounds& bounds);
  /** One request at a time, of one connection after the other. */
  Measurement inTurn(Op op, const Bounds& bounds);
  /** The first one alone, so many requests a second; those that came too late count with their delay. */
  Measurement paced(Op op, double perSecond, const Bounds& bounds);

 private:
  struct Client {
    std::unique_ptr<Connection> connection;
    std::string node;
    std::deque<uint64_t> sentAtNs;
  };

  void send(Client& client, Op op, size_t count, const Deadline& limit);
  size_t takeAnswers(Client& client, Latencies& latencies);

  Target target_;
  std::vector<Client> clients_;
};

}  // namespace xcl::peers
