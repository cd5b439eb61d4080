// Wraps LeafRows for TypeScript; see LeafRows in native/leaf-rows.ts. Nothing to close: it keeps the memory it is over.
#pragma once

#include <napi.h>

#include <optional>
#include <span>
#include <vector>

#include "leaf_rows.h"

namespace xcl {

class LeafRowsObject : public Napi::ObjectWrap<LeafRowsObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** @param info LeafRowsConfig of native/addon.ts */
  explicit LeafRowsObject(const Napi::CallbackInfo& info);

 private:
  void remove(const Napi::CallbackInfo& info);

  std::optional<LeafRows> rows_;
  /** What `remove` says. */
  std::span<int32_t> removed_;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> memory_;
};

}  // namespace xcl
