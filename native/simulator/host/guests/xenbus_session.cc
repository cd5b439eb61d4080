#include "xenbus_session.h"

#include "text.h"

namespace xcl::sim {

namespace {

XenbusState parseState(const StoreReply& reply) {
  uint32_t number = 0;
  if (!reply.isOk || !parseNumber(cString(reply.text), number) || number > 6) return XenbusState::kUnknown;
  return static_cast<XenbusState>(number);
}

}  // namespace

Task readState(StoreSession& store, std::string_view statePath, XenbusState& state) {
  const StoreReply reply = co_await store.read(statePath);
  state = parseState(reply);
  co_return reply.isOk;
}

Task switchState(StoreSession& store, std::string_view directory, XenbusState state, const XenbusKey* keys,
                 size_t keyCount) {
  const Text<96> statePath(directory, "/state");
  const Text<4> value(static_cast<uint32_t>(state));
  for (;;) {
    uint32_t txId = 0;
    const StoreReply begun = co_await store.begin();
    if (!parseTransaction(begun, txId)) co_return false;
    const StoreReply present = co_await store.read(statePath, txId);
    // Its transaction went with a daemon.
    if (!present.isOk && cString(present.text) == "EAGAIN") continue;
    const XenbusState was = parseState(present);
    if (was == XenbusState::kUnknown || was == state) {
      co_await store.end(txId, false);
      co_return was == state;
    }
    StoreBatch batch(store, txId);
    for (size_t i = 0; i < keyCount; i++) batch.write(Text<96>(directory, "/", keys[i].name), keys[i].value);
    batch.write(statePath, value);
    batch.end();
    const StoreReply ended = co_await batch;
    if (ended.isOk) co_return true;
    if (cString(ended.text) != "EAGAIN") co_return false;
  }
}

bool parseTransaction(const StoreReply& reply, uint32_t& txId) {
  return reply.isOk && parseNumber(cString(reply.text), txId);
}

}  // namespace xcl::sim
