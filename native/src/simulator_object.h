// A simulated machine as one JavaScript object: NativeHypervisor and Dom0Devices of native/addon.ts. Every
// call is one round trip of some microseconds, so the promises are settled when they are given.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "domain_spec.h"
#include "loop_watch.h"
#include "simulator_link.h"

namespace xcl {

class SimulatorObject : public Napi::ObjectWrap<SimulatorObject>, private LoopListener {
 public:
  static Napi::Function define(Napi::Env env);

  /** @param info path of the socket, function to call once when the machine has gone */
  explicit SimulatorObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value states(const Napi::CallbackInfo& info);
  Napi::Value changed(const Napi::CallbackInfo& info);
  Napi::Value host(const Napi::CallbackInfo& info);
  void pause(const Napi::CallbackInfo& info);
  void unpause(const Napi::CallbackInfo& info);
  Napi::Value destroy(const Napi::CallbackInfo& info);
  Napi::Value readConsoleRing(const Napi::CallbackInfo& info);
  Napi::Value create(const Napi::CallbackInfo& info);
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value build(const Napi::CallbackInfo& info);
  void joinBridge(const Napi::CallbackInfo& info);
  Napi::Value openDisk(const Napi::CallbackInfo& info);
  void closeDisk(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void onReady(int events) override;
  void onEnvironmentEnd() override { end(); }

  /** Runs `body` with the open connection; failures become XenError. */
  template <typename Body>
  auto withLink(Body body);
  /** The same; the outcome, or the failure, is in the promise. */
  template <typename Body>
  Napi::Value promised(Body body);
  std::vector<DomainInfo> listed(SimulatorLink& link, uint32_t first) const;
  /** Tells that the machine has gone, once, and before who has asked it something hears of it. */
  void tellGone();
  void end();

  std::shared_ptr<SimulatorLink> link_;
  LoopWatch::Ptr watch_;
  Napi::FunctionReference onGone_;
  Napi::AsyncContext context_;
};

}  // namespace xcl
