// A guest that does nothing of its own: a peer at its tap is its kernel.
#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

Task runTap(NativeGuest& guest) {
  guest.store().read(StoreSession::Reading::kNothing);
  for (;;) {
    guest.tap()->pump();
    co_await guest.woken().wait();
  }
}

}  // namespace xcl::sim
