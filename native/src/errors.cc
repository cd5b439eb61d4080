#include "errors.h"

#include <cstring>

namespace xcl {

namespace {

std::string sentence(int error, const std::string& tried, std::optional<uint32_t> domid) {
  std::string text;
  if (domid) text = "dom " + std::to_string(*domid) + ": ";
  return text + tried + ": " + errnoName(error);
}

}  // namespace

Failure::Failure(std::string op, int error, const std::string& tried, std::optional<uint32_t> domid)
    : std::runtime_error(sentence(error, tried, domid)), op_(std::move(op)), error_(error), domid_(domid) {}

Napi::Error Failure::toJs(Napi::Env env) const {
  auto* data = env.GetInstanceData<AddonData>();
  Napi::Value made = data->xenError.New({
      Napi::String::New(env, op_),
      Napi::String::New(env, errnoName(error_)),
      Napi::Number::New(env, error_),
      Napi::String::New(env, what()),
      domid_ ? Napi::Number::New(env, *domid_) : env.Undefined(),
  });
  return Napi::Error(env, made);
}

std::string errnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

}  // namespace xcl
