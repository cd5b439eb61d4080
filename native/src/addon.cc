// The addon's exports; their types stand in native/addon.ts.
#include <napi.h>

#include "datagram_socket.h"
#include "dom0_devices.h"
#include "errors.h"
#include "exec_program.h"
#include "leaf_rows_object.h"
#include "log_writer.h"
#include "loopback_object.h"
#include "memory_range.h"
#include "os.h"
#include "path_table_object.h"
#include "pty.h"
#include "ring_set_object.h"
#include "simulator_object.h"
#ifdef XCL_WITH_XEN
#include "xen_object.h"
#endif

namespace {

// XenError is a TypeScript class: it is handed over once, before anything can fail.
void setErrorClass(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<xcl::AddonData>()->xenError = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new xcl::AddonData());
  exports.Set("setErrorClass", Napi::Function::New(env, setErrorClass, "setErrorClass"));
  exports.Set("MemoryRange", xcl::MemoryRange::define(env));
  exports.Set("LeafRows", xcl::LeafRowsObject::define(env));
  exports.Set("PathTable", xcl::PathTableObject::define(env));
  exports.Set("RingSet", xcl::RingSetObject::define(env));
  exports.Set("Simulator", xcl::SimulatorObject::define(env));
  exports.Set("Loopback", xcl::LoopbackObject::define(env));
  exports.Set("DatagramSocket", xcl::DatagramSocket::define(env));
  exports.Set("LogWriter", xcl::LogWriter::define(env));
  exports.Set("PtyMaster", xcl::PtyMaster::define(env));
#ifdef XCL_WITH_XEN
  exports.Set("Xen", xcl::XenObject::define(env));
#endif
  exports.Set("openLog", Napi::Function::New(env, xcl::openLog, "openLog"));
  exports.Set("openPty", Napi::Function::New(env, xcl::openPty, "openPty"));
  exports.Set("execProgram", Napi::Function::New(env, xcl::execProgram, "execProgram"));
  xcl::defineDom0Devices(env, exports);
  xcl::defineOs(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(xcl_native, initialise)
