// Guests that keep what they get until the daemon refuses more; then they go on as good ones.
#include <string_view>

#include "native_guest.h"
#include "scripts.h"
#include "xenbus_session.h"

namespace xcl::sim {

namespace {

/** More than any quota; who reaches it has found a daemon without one. */
constexpr uint32_t kMany = 100'000;

/** Takes as many as it can, and says how many that were and what ended it. */
class Hoard {
 public:
  bool mayHaveMore() const { return error_.view().empty() && count_ < kMany; }
  uint32_t count() const { return count_; }
  void take(const StoreReply& reply) {
    if (reply.isOk) {
      count_++;
    } else {
      error_.add(cString(reply.text));
    }
  }
  Text<120> told(std::string_view what) const {
    return Text<120>(what, " ", count_, " ", error_.view().empty() ? "no end" : error_.view(), "\r\n");
  }

 private:
  Text<24> error_;
  uint32_t count_ = 0;
};

/** As a hoarding guest lives: `takeAll` until there is no more, and then as any other. */
Task liveBy(NativeGuest& guest, Task (*takeAll)(NativeGuest&, Hoard&), std::string_view what) {
  Task begin = announce(guest);
  co_await begin;
  Hoard hoard;
  Task all = takeAll(guest, hoard);
  co_await all;
  const Text<120> line = hoard.told(what);
  co_await guest.console().print(line);
  Task rest = serve(guest);
  co_return co_await rest;
}

Task takeWatches(NativeGuest& guest, Hoard& hoard) {
  while (hoard.mayHaveMore()) {
    const Text<32> path("data/watched/", hoard.count());
    // Beginning with a digit: not a token that is waited for.
    const Text<16> token(hoard.count());
    hoard.take(co_await guest.store().watch(path, token));
  }
  co_return true;
}

Task takeTransactions(NativeGuest& guest, Hoard& hoard) {
  while (hoard.mayHaveMore()) {
    const StoreReply reply = co_await guest.store().begin();
    uint32_t txId = 0;
    hoard.take(reply);
    if (!parseTransaction(reply, txId)) continue;
    const Text<32> path("data/hoard/", hoard.count());
    co_await guest.store().write(path, "1", txId);
  }
  co_return true;
}

Task takePaths(NativeGuest& guest, Hoard& hoard) {
  while (hoard.mayHaveMore()) {
    // Twenty chains, each node below the last one of its chain.
    const uint32_t count = hoard.count();
    Text<2048> path("data/bomb/", count % 20);
    for (uint32_t level = 0; level < count / 20 && level < 400; level++) path.add("/n");
    if (count / 20 >= 400) path.add(Text<16>("/", count).view());
    hoard.take(co_await guest.store().write(path, "boom"));
  }
  co_return true;
}

}  // namespace

Task runWatchHoard(NativeGuest& guest) { return liveBy(guest, takeWatches, "watches"); }

Task runTransactionHoard(NativeGuest& guest) { return liveBy(guest, takeTransactions, "transactions"); }

Task runPathBomb(NativeGuest& guest) { return liveBy(guest, takePaths, "nodes"); }

}  // namespace xcl::sim
