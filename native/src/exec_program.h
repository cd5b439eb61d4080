// Another program takes the place of this one in the same process.
#pragma once

#include <napi.h>

namespace xcl {

/** `execProgram` of native/addon.ts. */
Napi::Value execProgram(const Napi::CallbackInfo& info);

}  // namespace xcl
