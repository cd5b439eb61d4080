// LoopbackWorld as a JavaScript object, for tests: native/loopback.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "loopback_world.h"

namespace xcl {

class LoopbackObject : public Napi::ObjectWrap<LoopbackObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit LoopbackObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<LoopbackObject>(info), world_(std::make_shared<LoopbackWorld>()) {}

  const std::shared_ptr<LoopbackWorld>& world() const { return world_; }

 private:
  Napi::Value addPage(const Napi::CallbackInfo& info);
  Napi::Value addPort(const Napi::CallbackInfo& info);
  void renewPort(const Napi::CallbackInfo& info);
  void removeDomain(const Napi::CallbackInfo& info);
  void kick(const Napi::CallbackInfo& info);
  void fireVirq(const Napi::CallbackInfo& info);
  Napi::Value takeNotifications(const Napi::CallbackInfo& info);
  Napi::Value mappings(const Napi::CallbackInfo& info);
  Napi::Value bindings(const Napi::CallbackInfo& info);

  std::shared_ptr<LoopbackWorld> world_;
};

}  // namespace xcl
