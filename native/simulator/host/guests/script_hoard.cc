// Guests that keep what they get until the daemon refuses more; then they go on as good ones.
#include <string_view>

#include "native_guest.h"
#include "scripts.h"
#include "xenbus_session.h"

namespace xcl::sim {

namespace {

/** More than any quota; who reaches it has found a daemon without one. */
constexpr uint32_t kMany = 100'000;

Task sayResult(NativeGuest& guest, std::string_view what, uint32_t count, std::string_view error) {
  const Text<120> line(what, " ", count, " ", error.empty() ? "no end" : error, "\r\n");
  co_await guest.console().print(line);
  Task rest = serve(guest);
  co_return co_await rest;
}

}  // namespace

Task runWatchHoard(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  Text<24> error;
  uint32_t count = 0;
  while (error.view().empty() && count < kMany) {
    const Text<32> path("data/watched/", count);
    // Beginning with a digit: not a token that is waited for.
    const Text<16> token(count);
    const StoreReply reply = co_await guest.store().watch(path, token);
    if (reply.isOk) {
      count++;
    } else {
      error.add(cString(reply.text));
    }
  }
  Task rest = sayResult(guest, "watches", count, error);
  co_return co_await rest;
}

Task runTransactionHoard(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  Text<24> error;
  uint32_t count = 0;
  while (error.view().empty() && count < kMany) {
    uint32_t txId = 0;
    const StoreReply reply = co_await guest.store().begin();
    if (parseTransaction(reply, txId)) {
      count++;
      const Text<32> path("data/hoard/", count);
      co_await guest.store().write(path, "1", txId);
    } else {
      error.add(cString(reply.text));
    }
  }
  Task rest = sayResult(guest, "transactions", count, error);
  co_return co_await rest;
}

Task runPathBomb(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  Text<24> error;
  uint32_t count = 0;
  while (error.view().empty() && count < kMany) {
    // Twenty chains, each node below the last one of its chain.
    Text<2048> path("data/bomb/", count % 20);
    for (uint32_t level = 0; level < count / 20 && level < 400; level++) path.add("/n");
    if (count / 20 >= 400) path.add(Text<16>("/", count).view());
    const StoreReply reply = co_await guest.store().write(path, "boom");
    if (reply.isOk) {
      count++;
    } else {
      error.add(cString(reply.text));
    }
  }
  Task rest = sayResult(guest, "nodes", count, error);
  co_return co_await rest;
}

}  // namespace xcl::sim
