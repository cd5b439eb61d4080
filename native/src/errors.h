// Failures on their way to JavaScript, where they become XenError (native/xen-error.ts).
#pragma once

#include <napi.h>

#include "failure.h"

namespace xcl {

/** What one environment (main thread or worker) knows: the class that failures are made of. */
struct AddonData {
  Napi::FunctionReference xenError;
};

/** A XenError with the failure's fields. */
Napi::Error toJs(Napi::Env env, const Failure& failure);

/** Runs the body of a function called from JavaScript; failures leave it as XenError. */
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Failure& failure) {
    throw toJs(env, failure);
  }
}

}  // namespace xcl
