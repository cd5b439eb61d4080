// The well-behaved guest: test/guest/main.c, the real one, without a processor. What it says on the
// console and in the store is the same, byte for byte; devices come on top, if it has any.
#include <string>
#include <string_view>

#include "native_guest.h"
#include "scripts.h"

namespace xcl::sim {

namespace {

/** In Linux the front ends come up beside everything else, and so they do here. */
Task startDevices(NativeGuest& guest, DeviceKind kind) {
  const Text<16> directory("device/", nameOf(kind));
  const StoreReply indices = co_await guest.store().list(directory);
  if (!indices.isOk) co_return false;
  // What an answer says holds only until something else is asked.
  const std::string names(indices.text);
  std::string_view rest = names;
  while (!rest.empty()) {
    const std::string_view name = cString(rest);
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    uint32_t index = 0;
    if (parseNumber(name, index)) guest.addFrontend(kind, index).start();
  }
  co_return true;
}

Task findDevices(NativeGuest& guest) {
  const StoreReply kinds = co_await guest.store().list("device");
  if (!kinds.isOk) co_return false;
  bool hasVif = false;
  bool hasVbd = false;
  for (std::string_view rest = kinds.text; !rest.empty();) {
    const std::string_view kind = cString(rest);
    hasVif = hasVif || kind == "vif";
    hasVbd = hasVbd || kind == "vbd";
    rest.remove_prefix(std::min(kind.size() + 1, rest.size()));
  }
  if (hasVif) {
    Task vifs = startDevices(guest, DeviceKind::kVif);
    co_await vifs;
  }
  if (hasVbd) {
    Task vbds = startDevices(guest, DeviceKind::kVbd);
    co_await vbds;
  }
  co_return true;
}

}  // namespace

Task announce(NativeGuest& guest) {
  StoreSession& store = guest.store();
  Text<16> domid;
  Text<64> name;
  Text<64> nonce;
  Text<40> outcome("OK");

  if (guest.diesAt("read")) co_await std::suspend_always();
  const StoreReply domidRead = co_await store.read("domid");
  domid.add(domidRead.isOk ? firstWord(domidRead.text, 15) : "?");
  const StoreReply nameRead = co_await store.read("name");
  name.add(nameRead.isOk ? firstWord(nameRead.text, 63) : "?");
  const StoreReply nonceRead = co_await store.read("data/nonce");
  const std::string_view given = nonceRead.isOk ? nonceRead.text : guest.argument("nonce");
  nonce.add(given.empty() ? guest.argument("nonce").substr(0, 63) : firstWord(given, 63));
  if (nonce.view().empty()) nonce.add("-");

  if (guest.diesAt("watch")) co_await std::suspend_always();
  const Text<8> shutdownToken = guest.watchToken(guest.shutdownAsked());
  co_await store.watch("control/shutdown", shutdownToken);
  const Text<8> pokeToken = guest.watchToken(guest.poked());
  co_await store.watch("data/poke", pokeToken);
  Task devices = findDevices(guest);
  co_await devices;

  if (guest.diesAt("write")) co_await std::suspend_always();
  co_await store.write("control/feature-poweroff", "1");
  co_await store.write("control/feature-reboot", "1");
  co_await store.write("data/nonce-echo", nonce);
  while (!guest.isSettled()) co_await guest.settled().wait();
  const StoreReply ready = co_await store.write("data/ready", domid);
  if (!ready.isOk) outcome = Text<40>(cString(ready.text));

  const Text<240> line("READY ", guest.machine().start().isPvh ? "pvh" : "pv", " domid=", domid.view(), " name=",
                       name.view(), " nonce=", nonce.view(), " write=", outcome.view(), "\r\n");
  if (guest.diesAt("print")) co_await std::suspend_always();
  co_await guest.console().print(line);
  guest.sayReady(name, nonce);
  co_return true;
}

Task runHello(NativeGuest& guest) {
  {
    // Its frame is given back before the long wait begins.
    Task begin = announce(guest);
    co_await begin;
  }
  Task rest = serve(guest);
  co_return co_await rest;
}

}  // namespace xcl::sim
