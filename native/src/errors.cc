#include "errors.h"

namespace xcl {

Napi::Error toJs(Napi::Env env, const Failure& failure) {
  auto* data = env.GetInstanceData<AddonData>();
  const std::optional<uint32_t> domid = failure.domid();
  Napi::Value made = data->xenError.New({
      Napi::String::New(env, failure.op()),
      Napi::String::New(env, errnoName(failure.error())),
      Napi::Number::New(env, failure.error()),
      Napi::String::New(env, failure.what()),
      domid ? Napi::Number::New(env, *domid) : env.Undefined(),
  });
  return Napi::Error(env, made);
}

}  // namespace xcl
