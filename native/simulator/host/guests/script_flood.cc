// Guests that ask for more than their share. Each does as much as its rings take and then waits for an
// event: how fast that goes is up to the daemons.
#include <string_view>

#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

namespace {

constexpr std::string_view kValue =
    "the quick brown fox jumps over the lazy dog, the quick brown fox jumps over the lazy dog again and again";

/** About what the ring takes; a daemon on another processor may empty it as fast as it is filled. */
constexpr int kAtOnce = 16;

Task flood(NativeGuest& guest) {
  StoreSession& store = guest.store();
  for (;;) {
    for (int i = 0; i < kAtOnce && store.hasRoom(); i++) {
      store.send(StoreOp::kWrite, 0, "data/flood", kValue, false, nullptr);
    }
    if (store.hasRoom()) guest.yield();
    co_await guest.woken().wait();
  }
}

}  // namespace

Task runFloodStore(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  Task rest = flood(guest);
  co_return co_await rest;
}

Task runFloodConsole(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  for (uint64_t line = 1;; line++) {
    const Text<160> text(line, " ", kValue, "\r\n");
    co_await guest.console().print(text);
    if (line % kAtOnce != 0) continue;
    guest.yield();
    co_await guest.woken().wait();
  }
}

Task runNoDrain(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  guest.store().read(StoreSession::Reading::kNothing);
  Task rest = flood(guest);
  co_return co_await rest;
}

}  // namespace xcl::sim
