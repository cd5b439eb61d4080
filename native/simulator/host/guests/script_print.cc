// A guest that says nothing until it is asked to print, and has nothing to do with the store: consoles are
// measured with many of them.
#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

Task runPrint(NativeGuest& guest) {
  Printer& printer = *guest.printer();
  guest.console().countInto(printer.printed());
  for (;;) {
    while (printer.isDue(guest.machine().nowNs())) {
      const Text<Printer::kLineBytes> line = printer.next(guest.domid());
      co_await guest.console().print(line);
    }
    guest.waitForLine();
    co_await guest.woken().wait();
  }
}

}  // namespace xcl::sim
