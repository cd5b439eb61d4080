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
                               words("heads"), words("domains")});
  removed_ = words("removed");
}

void LeafRowsObject::remove(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const LeafRows::Removed removed =
        rows_->remove(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Number>().Uint32Value());
    // The order of native/leaf-rows.ts.
    size_t at = 0;
    const auto say = [&](auto word) { removed_[at++] = static_cast<int32_t>(word); };
    say(removed.next);
    say(removed.count);
    say(rows_->accounts().size());
    for (const LeafRows::Account& account : rows_->accounts()) {
      say(account.owner);
      say(account.perms);
      say(account.count);
      say(account.bytes);
    }
  });
}

}  // namespace xcl
