#include "bulk.h"

#include <algorithm>
#include <cstdio>

#include "busy.h"

namespace xcl::peers {

namespace {

/** Requests under way while directories are filled. */
constexpr size_t kDepth = 32;
/** As many names of three digits, each with its NUL, as one message holds, nearly. */
constexpr size_t kWhole = 1000;
const std::string kWholeFolder = "/bench/bulk/whole";
/** The floor reads there how long a list it is to give. */
constexpr size_t kParted = 10'000;
const std::string kPartedFolder = "/bench/bulk/10000";
/** Of a list of names with five digits: from its middle on a part is full. */
const std::string kOffset = "30000";
/** With its path in one message. */
constexpr size_t kValueBytes = 4000;

void fill(Connection& connection, const std::string& folder, size_t count, const char* format, const Deadline& limit) {
  for (size_t made = 0; made < count; made++) {
    char name[16];
    std::snprintf(name, sizeof name, format, static_cast<unsigned>(made));
    connection.put(Op::kMkdir, 0, path(folder + "/" + name));
    if (connection.underWay() < kDepth) continue;
    connection.flush(limit);
    while (connection.underWay() > kDepth / 2) connection.answer(limit);
  }
  connection.flush(limit);
  connection.drain(limit);
}

}  // namespace

Bulk::Bulk(const Target& target, size_t count, const Deadline& limit) : target_(target), clients_(count) {
  Connection filler(target.socketPath);
  fill(filler, kWholeFolder, kWhole, "%03u", limit);
  fill(filler, kPartedFolder, kParted, "c%05u", limit);
  const std::string value(kValueBytes, 'v');
  for (size_t i = 0; i < count; i++) {
    Client& client = clients_[i];
    client.connection = std::make_unique<Connection>(target.socketPath);
    const std::string node = "/bench/bulk/values/" + std::to_string(i);
    client.requests = {{Op::kWrite, pair(node, value, false)},
                       {Op::kDirectory, path(kWholeFolder)},
                       {Op::kRead, path(node)},
                       {Op::kDirectoryPart, pair(kPartedFolder, kOffset, true)}};
    for (const auto& [op, payload] : client.requests) client.connection->call(op, 0, payload, limit);
  }
}

Measurement Bulk::measure(size_t depth, const Bounds& bounds) {
  const auto begin = [&](Client& client, const Deadline& limit) { ask(client, depth, limit); };
  const auto goOn = [&](Client& client, Measurement& found, const Deadline& limit) {
    size_t taken = 0;
    for (Message message; client.connection->take(message); taken++) client.connection->check(message);
    found.operations += taken;
    if (taken > 0) ask(client, taken, limit);
  };
  return keepBusy(clients_, target_, bounds, begin, goOn);
}

void Bulk::ask(Client& client, size_t count, const Deadline& limit) {
  for (; count > 0; count--) {
    const auto& [op, payload] = client.requests[client.next];
    client.connection->put(op, 0, payload);
    client.next = (client.next + 1) % client.requests.size();
  }
  client.connection->flush(limit);
}

}  // namespace xcl::peers
