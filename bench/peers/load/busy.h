// Clients that are all busy at the same time, each going on as soon as it has its answers.
#pragma once

#include <vector>

#include "clients.h"
#include "failure.h"
#include "measurement.h"
#include "ready_set.h"

namespace xcl::peers {

/**
 * @param clients each has a `connection`
 * @param begin takes a client and the limit, and asks for the first time
 * @param goOn takes a client that has been read from, what was found so far and the limit: takes the answers, counts
 *   operations, asks again
 * @throws TooSlow when there was no operation at all
 */
template <typename Client, typename Begin, typename GoOn>
Measurement keepBusy(std::vector<Client>& clients, const Target& target, const Bounds& bounds, Begin begin, GoOn goOn) {
  ReadySet<Client> set;
  for (Client& client : clients) set.add(*client.connection, client);
  Measurement found;
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  Stopwatch watch(target.pid);
  watch.begin();
  for (Client& client : clients) begin(client, limit);
  while (!end.isOver() || (found.operations == 0 && !limit.isOver())) {
    set.await(end.leftMs(), [&](Client& client) {
      client.connection->fill();
      goOn(client, found, limit);
    });
  }
  watch.end(found);
  if (found.operations == 0) throw TooSlow("no operation was done");
  return found;
}

}  // namespace xcl::peers
