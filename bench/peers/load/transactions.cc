#include "transactions.h"

#include <charconv>

#include "busy.h"

namespace xcl::peers {

namespace {

constexpr size_t kWrites = 10;
constexpr size_t kReads = 2;
constexpr size_t kEnd = 1 + kWrites + kReads;
constexpr std::string_view kValue = "0123456789abcde";

std::string nodeIn(const std::string& folder, size_t number) { return folder + "/key" + std::to_string(number); }

}  // namespace

Transactions::Transactions(const Target& target, size_t count, bool isShared, const Deadline& limit)
    : target_(target), clients_(count) {
  for (size_t i = 0; i < count; i++) {
    Client& client = clients_[i];
    client.connection = std::make_unique<Connection>(target.socketPath);
    client.folder = "/bench/transactions/" + (isShared ? std::string("shared") : std::to_string(i));
    // So that commits change nodes and make none.
    for (size_t key = 0; key < kWrites; key++) {
      client.connection->call(Op::kWrite, 0, pair(nodeIn(client.folder, key), kValue, false), limit);
    }
  }
}

Measurement Transactions::measure(const Bounds& bounds) {
  const auto begin = [&](Client& client, const Deadline& limit) { ask(client, limit); };
  const auto next = [&](Client& client, Measurement& found, const Deadline& limit) {
    for (Message message; client.connection->take(message);) {
      if (goOn(client, message, found)) found.operations++;
      ask(client, limit);
    }
  };
  return keepBusy(clients_, target_, bounds, begin, next);
}

void Transactions::ask(Client& client, const Deadline& limit) {
  Connection& connection = *client.connection;
  if (client.step == 0) {
    if (!client.isRetry) client.begunNs = nowNs();
    connection.put(Op::kTransactionStart, 0, std::string_view("", 1));
  } else if (client.step <= kWrites) {
    connection.put(Op::kWrite, client.txId, pair(nodeIn(client.folder, client.step - 1), kValue, false));
  } else if (client.step < kEnd) {
    connection.put(Op::kRead, client.txId, path(nodeIn(client.folder, client.step - 1 - kWrites)));
  } else {
    connection.put(Op::kTransactionEnd, client.txId, path("T"));
  }
  connection.flush(limit);
}

bool Transactions::goOn(Client& client, const Message& message, Measurement& found) {
  if (client.step == kEnd && message.isError() && message.text() == "EAGAIN") {
    found.retries++;
    client.step = 0;
    client.isRetry = true;
    return false;
  }
  client.connection->check(message);
  if (client.step == 0) {
    const std::string_view number = message.text();
    std::from_chars(number.data(), number.data() + number.size(), client.txId);
  }
  if (client.step++ < kEnd) return false;
  client.step = 0;
  client.isRetry = false;
  found.latencies.add(nowNs() - client.begunNs);
  return true;
}

}  // namespace xcl::peers
