// Wraps PathTable for TypeScript, for rings without native code: see PathHints in native/path-hints.ts. Nothing to
// close: it keeps the memory it is over.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "connection_record.h"
#include "path_table.h"

namespace xcl {

class PathTableObject : public Napi::ObjectWrap<PathTableObject> {
 public:
  static Napi::Function define(Napi::Env env);

  /** @param info PathTableConfig of native/addon.ts */
  explicit PathTableObject(const Napi::CallbackInfo& info);

 private:
  void resolve(const Napi::CallbackInfo& info);

  std::optional<PathTable> paths_;
  std::span<int32_t> batch_;
  std::span<const ConnectionRecord> records_;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> memory_;
};

}  // namespace xcl
