// Guests that break the protocol, on the ring page itself.
#include <cstring>

#include "../../../src/shared_ring.h"
#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

namespace {

/** Raw bytes behind what the request ring holds. @returns bytes that fitted */
uint32_t putRaw(NativeGuest& guest, const void* bytes, uint32_t size) {
  RingWriter writer(guest.store().ring(), kXenstoreRequests);
  if (!writer.look()) return 0;
  const uint32_t taken = writer.put(bytes, size);
  writer.publish();
  guest.machine().notify(guest.store().port());
  return taken;
}

/** Its own, so that two runs send the same. */
class Chance {
 public:
  explicit Chance(uint32_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  uint64_t state_;
};

}  // namespace

Task runSilent(NativeGuest&) {
  co_await std::suspend_always();
  co_return true;
}

Task runDiesAtBoot(NativeGuest& guest) {
  guest.end(Shutdown::kCrash);
  co_await std::suspend_always();
  co_return true;
}

Task runSplit(NativeGuest& guest) {
  guest.store().split();
  Task begin = announce(guest);
  co_await begin;
  Task rest = serve(guest);
  co_return co_await rest;
}

Task runBadIndex(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  std::byte* const ring = guest.store().ring();
  storeShared(ring, kXenstoreRequests.prod, loadShared(ring, kXenstoreRequests.cons) + 0x4000'0000);
  storeShared(ring, kXenstoreReplies.cons, 0xdead'beef);
  guest.store().read(StoreSession::Reading::kNothing);
  guest.machine().notify(guest.store().port());
  co_await std::suspend_always();
  co_return true;
}

Task runBadConsoleIndex(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  // What it has said so far is to be read.
  while (!guest.console().isDrained()) co_await guest.woken().wait();
  std::byte* const ring = guest.console().ring();
  storeShared(ring, kConsoleOutput.prod, loadShared(ring, kConsoleOutput.cons) + 0x4000'0000);
  storeShared(ring, kConsoleInput.cons, 0xdead'beef);
  guest.machine().notify(guest.console().port());
  co_await std::suspend_always();
  co_return true;
}

Task runOversized(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  guest.store().read(StoreSession::Reading::kNothing);
  const StoreHeader header{static_cast<uint32_t>(StoreOp::kWrite), 1, 0, 5000};
  putRaw(guest, &header, sizeof header);
  co_await std::suspend_always();
  co_return true;
}

Task runGarbage(NativeGuest& guest) {
  Task begin = announce(guest);
  co_await begin;
  guest.store().read(StoreSession::Reading::kDiscard);
  Chance chance(guest.domid());
  for (uint32_t count = 1;; count++) {
    // Now and then a header that could be one, so that what is behind the first checks is reached as well.
    uint64_t bytes[8];
    for (uint64_t& word : bytes) word = chance.next();
    const StoreHeader header{static_cast<uint32_t>(bytes[0] % 32), static_cast<uint32_t>(bytes[1]),
                             static_cast<uint32_t>(bytes[2] % 3), sizeof bytes - sizeof header};
    if (chance.next() % 8 != 0) std::memcpy(bytes, &header, sizeof header);
    const bool isFull = putRaw(guest, bytes, sizeof bytes) < sizeof bytes;
    if (!isFull && count % 16 != 0) continue;
    if (!isFull) guest.yield();
    co_await guest.woken().wait();
  }
}

}  // namespace xcl::sim
