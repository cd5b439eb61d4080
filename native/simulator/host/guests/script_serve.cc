// A guest that is up: it does as the store, the console and the clock tell it.
#include <string>
#include <string_view>

#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

namespace {

constexpr std::string_view kHelp =
    "ping, read P, write P V, list P, rm P, echo TEXT, spin-write N, poweroff, reboot, crash\r\n";

/** What its front ends have asked is answered first: a kernel comes to rest before it goes. */
Task endInOrder(NativeGuest& guest, Shutdown reason) {
  while (guest.store().pending() > 0) co_await guest.store().replied().wait();
  guest.end(reason);
  co_await std::suspend_always();
  co_return true;
}

Task obeyShutdown(NativeGuest& guest) {
  StoreSession& store = guest.store();
  const StoreReply asked = co_await store.read("control/shutdown");
  if (!asked.isOk || asked.text.empty()) co_return true;
  const std::string_view request = cString(asked.text);
  const bool isReboot = request == "reboot";
  const bool isKnown = isReboot || request == "poweroff" || request == "halt";
  // The empty value is the acknowledgement; an unknown request is taken off as well.
  co_await store.write("control/shutdown", "");
  if (!isKnown) co_return true;
  co_await guest.console().print("BYE\r\n");
  Task last = endInOrder(guest, isReboot ? Shutdown::kReboot : Shutdown::kPoweroff);
  co_return co_await last;
}

Task answerPoke(NativeGuest& guest) {
  StoreSession& store = guest.store();
  const StoreReply poke = co_await store.read("data/poke");
  if (!poke.isOk) co_return true;
  const Text<255> value(cString(poke.text));
  co_await store.write("data/poke-echo", value);
  co_return true;
}

Task work(NativeGuest& guest) {
  const Text<12> count(guest.nextWork());
  co_await guest.store().write("data/work", count);
  const Text<24> line("work ", count.view(), "\r\n");
  co_await guest.console().print(line);
  co_return true;
}

/** How a request went: what it gave, or the error that XenStore answered with. */
Console::Print printOutcome(NativeGuest& guest, const StoreReply& reply, std::string_view good) {
  std::string line(reply.isOk ? good : "ERR ");
  if (!reply.isOk) line += cString(reply.text);
  line += "\r\n";
  return guest.console().print(line);
}

Task spinWrite(NativeGuest& guest, std::string_view argument) {
  uint32_t count = 0;
  for (size_t at = 0; at < argument.size() && argument[at] >= '0' && argument[at] <= '9'; at++) {
    count = count * 10 + static_cast<uint32_t>(argument[at] - '0');
  }
  for (uint32_t i = 1; i <= count; i++) {
    const Text<12> value(i);
    const StoreReply reply = co_await guest.store().write("data/spin", value);
    if (!reply.isOk) break;
  }
  co_await guest.console().print("DONE\r\n");
  co_return true;
}

Task listCommand(NativeGuest& guest, std::string_view path) {
  const StoreReply names = co_await guest.store().list(path);
  if (!names.isOk) {
    co_await printOutcome(guest, names, "");
    co_return true;
  }
  std::string line(names.text);
  for (char& c : line) {
    if (c == 0) c = ' ';
  }
  line += "\r\n";
  co_await guest.console().print(line);
  co_return true;
}

}  // namespace

Task obeyLine(NativeGuest& guest, std::string_view line) {
  Console& console = guest.console();
  StoreSession& store = guest.store();
  const auto after = [&line](std::string_view prefix) { return line.starts_with(prefix); };

  if (line == "ping") {
    co_await console.print("pong\r\n");
  } else if (after("read ")) {
    const StoreReply reply = co_await store.read(line.substr(5));
    co_await printOutcome(guest, reply, cString(reply.text));
  } else if (after("write ")) {
    const std::string_view rest = line.substr(6);
    const size_t pathEnd = std::min(rest.find(' '), rest.size());
    const std::string_view value = rest.substr(std::min(pathEnd + 1, rest.size()));
    const StoreReply reply = co_await store.write(rest.substr(0, pathEnd), value);
    co_await printOutcome(guest, reply, "OK");
  } else if (after("list ")) {
    Task list = listCommand(guest, line.substr(5));
    co_await list;
  } else if (after("rm ")) {
    const StoreReply reply = co_await store.remove(line.substr(3));
    co_await printOutcome(guest, reply, "OK");
  } else if (after("echo ")) {
    console.print(line.substr(5));
    co_await console.print("\r\n");
  } else if (after("spin-write ")) {
    Task spin = spinWrite(guest, line.substr(11));
    co_await spin;
  } else if (line == "poweroff" || line == "reboot") {
    Task last = endInOrder(guest, line == "reboot" ? Shutdown::kReboot : Shutdown::kPoweroff);
    co_await last;
  } else if (line == "crash") {
    guest.end(Shutdown::kCrash);
    co_await std::suspend_always();
  } else if (line == "help") {
    co_await console.print(kHelp);
  } else {
    console.print("? ");
    console.print(line);
    co_await console.print("\r\n");
  }
  co_return true;
}

Task serve(NativeGuest& guest) {
  for (;;) {
    bool isIdle = true;
    if (guest.shutdownAsked().take()) {
      isIdle = false;
      Task step = obeyShutdown(guest);
      co_await step;
    }
    if (guest.poked().take()) {
      isIdle = false;
      Task step = answerPoke(guest);
      co_await step;
    }
    std::string line;
    if (guest.console().readLine(line)) {
      isIdle = false;
      Task step = obeyLine(guest, line);
      co_await step;
    }
    if (guest.isWorkDue()) {
      isIdle = false;
      Task step = work(guest);
      co_await step;
    }
    if (isIdle) co_await guest.attention().wait();
  }
}

}  // namespace xcl::sim
