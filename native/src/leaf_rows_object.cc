#include "leaf_rows_object.h"

#include "errors.h"

namespace xcl {

Napi::Function LeafRowsObject::define(Napi::Env env) {
  return DefineClass(env, "LeafRows", {InstanceMethod<&LeafRowsObject::remove>("remove")});
}

LeafRowsObject::LeafRowsObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LeafRowsObject>(info) {
  const auto config = info[0].As<Napi::Object>();
  const auto words = [&](const char* name) {
    auto found = config.Get(name).As<Napi::ArrayBuffer>();
    memory_.push_back(Napi::Persistent(found));
    return std::span(static_cast<int32_t*>(found.Data()), found.ByteLength() / sizeof(int32_t));
  };
  rows_.emplace(LeafRowsMemory{words("buckets"), words("links"), words("nodes"), words("blocks"), words("slabs"),
                               words("heads")});
  run_ = words("run");
}

void LeafRowsObject::remove(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const LeafRows::Run run = rows_->remove(info[0].As<Napi::Number>().Uint32Value());
    // The order of RUN_… in native/leaf-rows.ts.
    size_t at = 0;
    for (const uint32_t word : {run.last, run.count, run.next, run.nameBytes, run.valueBytes}) {
      run_[at++] = static_cast<int32_t>(word);
    }
  });
}

}  // namespace xcl
