#include "path_table_object.h"

#include <cerrno>

#include "errors.h"
#include "failure.h"

namespace xcl {

Napi::Function PathTableObject::define(Napi::Env env) {
  return DefineClass(env, "PathTable", {InstanceMethod<&PathTableObject::resolve>("resolve")});
}

PathTableObject::PathTableObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PathTableObject>(info) {
  const auto config = info[0].As<Napi::Object>();
  const auto spanOf = [&]<typename T>(const char* name, T) {
    auto found = config.Get(name).As<Napi::ArrayBuffer>();
    memory_.push_back(Napi::Persistent(found));
    return std::span(static_cast<T*>(found.Data()), found.ByteLength() / sizeof(T));
  };
  paths_.emplace(PathTableMemory{spanOf("buckets", int32_t{}), spanOf("links", int32_t{}), spanOf("nodes", int32_t{}),
                                 spanOf("names", std::byte{})});
  batch_ = spanOf("batch", int32_t{});
  records_ = spanOf("records", ConnectionRecord{});
}

void PathTableObject::resolve(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const size_t words = info[0].As<Napi::Number>().Uint32Value();
    if (words > batch_.size()) throw Failure("path table", EINVAL, "no batch has so many words");
    paths_->resolve(batch_.first(words), records_);
  });
}

}  // namespace xcl
