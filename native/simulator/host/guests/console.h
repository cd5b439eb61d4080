// A guest's console: what it prints and what is typed, over the ring page that it shares with the daemon.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../guest_machine.h"
#include "printer.h"
#include "statistics.h"

namespace xcl::sim {

class Console {
 public:
  explicit Console(Statistics& statistics) : statistics_(statistics) {}

  void attach(GuestMachine& machine, std::byte* page, uint32_t port);
  uint32_t port() const { return port_; }
  std::byte* ring() const { return page_; }

  struct Print {
    Console& console;
    bool await_ready() const noexcept { return console.waitingOutput_.empty(); }
    void await_suspend(std::coroutine_handle<> caller) const noexcept { console.printer_ = caller; }
    void await_resume() const noexcept {}
  };
  /** Puts the text into the ring at once; `co_await` ends when all of it is there. One printer at a time. */
  Print print(std::string_view text);

  /** What goes into the ring is counted there as well. */
  void countInto(Printed& printed) { printed_ = &printed; }

  /** The daemon has taken all that was printed. */
  bool isDrained() const { return unread() == 0; }
  /** Bytes that were printed and that the daemon has not taken, those without room in the ring as well. */
  uint64_t unread() const;

  /** Takes typed bytes up to the end of a line. @returns whether `line` is one; empty lines are none */
  bool readLine(std::string& line);

  /** Its port fired: goes on with what had no room. */
  void onEvent();
  /** To be called at the end of the guest's turn. */
  void notify();

 private:
  size_t put(std::string_view text);

  Statistics& statistics_;
  GuestMachine* machine_ = nullptr;
  std::byte* page_ = nullptr;
  uint32_t port_ = 0;
  bool mustNotify_ = false;
  Printed* printed_ = nullptr;
  std::coroutine_handle<> printer_;
  std::string waitingOutput_;
  std::string typed_;
};

}  // namespace xcl::sim
