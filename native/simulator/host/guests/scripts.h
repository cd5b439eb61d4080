// What guests do: the scripts that a word `script=NAME` of the command line chooses from.
#pragma once

#include <string_view>

#include "task.h"

namespace xcl::sim {

class NativeGuest;

using Script = Task (*)(NativeGuest& guest);

/** @returns nullptr when there is none of that name */
Script findScript(std::string_view name);

/** From boot to the READY line: what every well-behaved script begins with. False: the guest has ended. */
Task announce(NativeGuest& guest);
/** Obeys the store and the console, and works when asked to, until the guest ends. */
Task serve(NativeGuest& guest);
/** One line that was typed. */
Task obeyLine(NativeGuest& guest, std::string_view line);

/** The well-behaved one. */
Task runHello(NativeGuest& guest);
/** Boots and does nothing. */
Task runSilent(NativeGuest& guest);
/** Crashes before it has said a word. */
Task runDiesAtBoot(NativeGuest& guest);
/** Sends each request byte by byte, with a notification for each. */
Task runSplit(NativeGuest& guest);

/** Sends requests as fast as the ring takes them, and reads the replies. */
Task runFloodStore(NativeGuest& guest);
/** When it is to work, asks for one thing after the other without a pause. */
Task runAsk(NativeGuest& guest);
/** Prints as fast as the ring takes it. */
Task runFloodConsole(NativeGuest& guest);
/** Sends requests and never reads a reply. */
Task runNoDrain(NativeGuest& guest);

/** Indices of the store ring that cannot be. */
Task runBadIndex(NativeGuest& guest);
/** The same of the console ring. */
Task runBadConsoleIndex(NativeGuest& guest);
/** A request that says it has 5,000 bytes. */
Task runOversized(NativeGuest& guest);
/** Bytes by chance where requests should be, as long as the daemon takes them. */
Task runGarbage(NativeGuest& guest);

/** Watches until it may not any more. */
Task runWatchHoard(NativeGuest& guest);
/** Opens transactions until it may not any more, and writes in each. */
Task runTransactionHoard(NativeGuest& guest);
/** Makes nodes, deep and wide, until it may not any more. */
Task runPathBomb(NativeGuest& guest);

/** Passes on what a peer at its tap says and hears. */
Task runTap(NativeGuest& guest);

/** Prints numbered lines when it is asked to. */
Task runPrint(NativeGuest& guest);

}  // namespace xcl::sim
