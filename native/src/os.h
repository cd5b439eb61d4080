// Small system calls that node does not offer: record locks, notify datagrams, limits, the end of the parent.
#pragma once

#include <napi.h>

namespace xcl {

/** Adds lockFile, sendNotify, raiseFileLimit, closeFd and setParentDeathSignal to the addon's exports. */
void defineOs(Napi::Env env, Napi::Object exports);

}  // namespace xcl
