// What the kernel of this dom0 does for a guest's devices besides serving them: ports of a bridge, and
// block devices over files.
#pragma once

#include <napi.h>

namespace xcl {

/** Adds joinBridge, openDisk and closeDisk (`Dom0Devices` of native/hypervisor.ts) to the addon's exports. */
void defineDom0Devices(Napi::Env env, Napi::Object exports);

}  // namespace xcl
