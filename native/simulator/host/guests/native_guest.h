// A guest that is no machine code: its kernel is one of the scripts, a coroutine that speaks to XenStore
// and the console over the same pages and ports as any other guest.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../guest_machine.h"
#include "console.h"
#include "frontend.h"
#include "guest_registry.h"
#include "printer.h"
#include "store_session.h"
#include "tap.h"
#include "task.h"

namespace xcl::sim {

class NativeGuest final : public Guest, private StoreListener {
 public:
  NativeGuest(GuestRegistry& registry, GuestMachine& machine);
  ~NativeGuest() override;
  NativeGuest(const NativeGuest&) = delete;
  NativeGuest& operator=(const NativeGuest&) = delete;

  void boot() override;
  void onEvent(uint32_t port) override;
  void onTimer() override;
  void onShutdown() override;

  // For its script.

  GuestRegistry& registry() { return registry_; }
  GuestMachine& machine() { return machine_; }
  StoreSession& store() { return store_; }
  Console& console() { return console_; }
  const Console& console() const { return console_; }
  /** nullptr: its command line does not say `script=tap`. */
  Tap* tap() { return tap_.get(); }
  /** nullptr: its command line does not say `script=print`. */
  Printer* printer() const { return printer_.get(); }
  uint32_t domid() const { return machine_.domid(); }
  /** It has booted and has not ended. */
  bool isUp() const { return console_.ring() != nullptr && !isEnded_; }
  /** Value of the first word `NAME=` on its command line, to the next blank; empty when there is none. */
  std::string_view argument(std::string_view name) const;

  /** Something happened that its script looks after: one of the two watches, the console, the timer. */
  Signal& attention() { return attention_; }
  /** An event of any kind, or the timer. */
  Signal& woken() { return woken_; }
  Signal& shutdownAsked() { return shutdownAsked_; }
  Signal& poked() { return poked_; }

  /** A token of a watch; `fired` is raised whenever it fires. Tokens begin with "a", "b", as they are asked for. */
  Text<8> watchToken(Signal& fired);
  void forgetToken(Signal& fired);

  /** Lets others run; `woken` is raised soon. */
  void yield();

  /** A device of its own, which lives until the guest ends. */
  Frontend& addFrontend(DeviceKind kind, uint32_t index);
  /** Ends when every front end has connected, or never will. */
  Signal& settled() { return settled_; }
  bool isSettled() const { return unsettled_ == 0; }
  void onSettled();

  /** Crashes it if the fault `guest_dies_STEP` is set. @returns whether it did: the caller waits for ever */
  bool diesAt(std::string_view step);
  /** Nothing of it runs any more once its coroutine waits next. */
  void end(Shutdown reason);
  void sayReady(std::string_view name, std::string_view nonce);
  void say(std::string_view word, std::string_view rest);

  /** From now on, at `firstNs` and each period after it, its script is to work. */
  void startWork(uint64_t firstNs);
  void stopWork();
  bool isWorkDue() const { return nextWorkNs_ != 0 && machine_.nowNs() >= nextWorkNs_; }
  /** One more piece is done. @returns its number */
  uint32_t nextWork();

  /** It is to print so many lines from `firstNs` on. */
  void startPrinting(uint64_t lines, uint64_t periodNs, uint64_t firstNs);
  /** `woken` is raised when its next line is due. */
  void waitForLine() { armTimer(); }

  /** For people who look for a bug. */
  std::vector<std::string> describe() const;

  /** Its place in the registry's list of those that are READY. */
  size_t readyPlace = 0;

 private:
  void onWatchEvent(std::string_view path, std::string_view token) override;
  void onBroken(const std::string& sentence) override;
  /** It is no part of the crowd any more. */
  void leave();
  void endTurn();
  /** The one timer that it has serves its work, its lines and `yield`. */
  void armTimer();

  GuestRegistry& registry_;
  GuestMachine& machine_;
  StoreSession store_;
  Console console_;
  Signal attention_;
  Signal woken_;
  Signal shutdownAsked_;
  Signal poked_;
  Signal settled_;
  std::vector<Signal*> watches_;
  std::vector<std::unique_ptr<Frontend>> frontends_;
  std::unique_ptr<Tap> tap_;
  std::unique_ptr<Printer> printer_;
  uint32_t unsettled_ = 0;
  uint32_t workDone_ = 0;
  uint64_t nextWorkNs_ = 0;
  bool isYielding_ = false;
  bool isReady_ = false;
  bool isEnded_ = false;
  bool isBroken_ = false;
  // Last: its frames refer to all of the above.
  Task script_;
};

}  // namespace xcl::sim
