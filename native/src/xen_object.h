// Domctl and DomainBuilder as one JavaScript object: NativeHypervisor of native/addon.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "domain_builder.h"
#include "domctl.h"

namespace xcl {

class XenObject : public Napi::ObjectWrap<XenObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit XenObject(const Napi::CallbackInfo& info);

 private:
  /** What work on other threads keeps alive. */
  struct Parts {
    XenHandle handle;
    Domctl domctl{handle};
    DomainBuilder builder{handle};
    bool hasHap = domctl.host().hasHap;
  };

  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value states(const Napi::CallbackInfo& info);
  Napi::Value changed(const Napi::CallbackInfo& info);
  Napi::Value host(const Napi::CallbackInfo& info);
  Napi::Value pause(const Napi::CallbackInfo& info);
  Napi::Value unpause(const Napi::CallbackInfo& info);
  Napi::Value destroy(const Napi::CallbackInfo& info);
  Napi::Value readConsoleRing(const Napi::CallbackInfo& info);
  Napi::Value create(const Napi::CallbackInfo& info);
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value build(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<Parts> parts() const;

  std::shared_ptr<Parts> parts_;
};

}  // namespace xcl
