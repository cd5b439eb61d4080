// Small system calls that node does not offer: record locks, notify datagrams, limits.
#pragma once

#include <napi.h>

namespace xcl {

/** Adds lockFile, sendNotify, raiseFileLimit and closeFd to the addon's exports. */
void defineOs(Napi::Env env, Napi::Object exports);

}  // namespace xcl
