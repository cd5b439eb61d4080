// A guest that asks for nothing until it is to work, and then one thing after the other, as fast as it is
// answered: what a daemon can do for many rings shows.
#include <string_view>

#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

namespace {

constexpr std::string_view kNode = "data/asked";
constexpr std::string_view kValue = "0123456789abcde";

/** A write and a read. @returns false when one was refused */
Task ask(NativeGuest& guest) {
  const StoreReply written = co_await guest.store().write(kNode, kValue);
  if (!written.isOk) co_return false;
  const StoreReply read = co_await guest.store().read(kNode);
  co_return read.isOk;
}

}  // namespace

Task runAsk(NativeGuest& guest) {
  guest.sayReady({}, {});
  for (;;) {
    while (guest.isWorkDue()) {
      Task both = ask(guest);
      if (co_await both) continue;
      guest.end(Shutdown::kCrash);
      co_await std::suspend_always();
    }
    co_await guest.attention().wait();
  }
}

}  // namespace xcl::sim
