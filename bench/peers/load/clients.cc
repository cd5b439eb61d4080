#include "clients.h"

#include <ctime>

#include "busy.h"

namespace xcl::peers {

namespace {

constexpr std::string_view kValue = "0123456789abcde";

std::string payloadOf(Op op, const std::string& node) {
  return op == Op::kWrite ? pair(node, kValue, false) : path(node);
}

}  // namespace

Clients::Clients(const Target& target, size_t count, const Deadline& limit) : target_(target), clients_(count) {
  for (size_t i = 0; i < count; i++) {
    Client& client = clients_[i];
    client.connection = std::make_unique<Connection>(target.socketPath);
    client.node = "/bench/clients/" + std::to_string(i) + "/node";
    client.connection->call(Op::kWrite, 0, payloadOf(Op::kWrite, client.node), limit);
  }
}

Measurement Clients::allBusy(Op op, size_t depth, const Bounds& bounds) {
  const auto begin = [&](Client& client, const Deadline& limit) { send(client, op, depth, limit); };
  const auto goOn = [&](Client& client, Measurement& found, const Deadline& limit) {
    const size_t taken = takeAnswers(client, found.latencies);
    found.operations += taken;
    if (taken > 0) send(client, op, taken, limit);
  };
  return keepBusy(clients_, target_, bounds, begin, goOn);
}

Measurement Clients::inTurn(Op op, const Bounds& bounds) {
  Measurement found;
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  Stopwatch watch(target_.pid);
  watch.begin();
  for (size_t at = 0; !end.isOver() || found.operations == 0; at = (at + 1) % clients_.size()) {
    const std::string payload = payloadOf(op, clients_[at].node);
    const uint64_t sentNs = nowNs();
    clients_[at].connection->call(op, 0, payload, limit);
    found.latencies.add(nowNs() - sentNs);
    found.operations++;
  }
  watch.end(found);
  return found;
}

Measurement Clients::paced(Op op, double perSecond, const Bounds& bounds) {
  Measurement found;
  const auto periodNs = static_cast<uint64_t>(1e9 / perSecond);
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  const std::string payload = payloadOf(op, clients_[0].node);
  Stopwatch watch(target_.pid);
  watch.begin();
  for (uint64_t dueNs = nowNs(); dueNs < end.atNs() || found.operations == 0; dueNs += periodNs) {
    const timespec due{static_cast<time_t>(dueNs / 1'000'000'000), static_cast<long>(dueNs % 1'000'000'000)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
    // From when we are awake: how late the kernel wakes us is not the daemon's. Unless it made us late.
    const uint64_t awakeNs = nowNs();
    const uint64_t sentNs = awakeNs > dueNs + periodNs ? dueNs : awakeNs;
    clients_[0].connection->call(op, 0, payload, limit);
    found.latencies.add(nowNs() - sentNs);
    found.operations++;
  }
  watch.end(found);
  return found;
}

void Clients::send(Client& client, Op op, size_t count, const Deadline& limit) {
  const std::string payload = payloadOf(op, client.node);
  const uint64_t sentNs = nowNs();
  for (size_t i = 0; i < count; i++) {
    client.connection->put(op, 0, payload);
    client.sentAtNs.push_back(sentNs);
  }
  client.connection->flush(limit);
}

size_t Clients::takeAnswers(Client& client, Latencies& latencies) {
  const uint64_t cameNs = nowNs();
  size_t taken = 0;
  for (Message message; client.connection->take(message);) {
    client.connection->check(message);
    latencies.add(cameNs - client.sentAtNs.front());
    client.sentAtNs.pop_front();
    taken++;
  }
  return taken;
}

}  // namespace xcl::peers
