// Wraps one mmap'ed range of memory, anonymous or of a file; see MemoryRange in native/os/state-memory.ts.
#pragma once

#include <napi.h>

#include <cstddef>
#include <map>
#include <memory>

namespace xcl {

/** The mapping itself; unmapped when the range is closed and the last view has been collected. */
class Mapping {
 public:
  /** @param fd of a file that others see change, too; -1: anonymous memory */
  Mapping(size_t bytes, int fd);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_;
  size_t size_;
};

class MemoryRange : public Napi::ObjectWrap<MemoryRange> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit MemoryRange(const Napi::CallbackInfo& info);

 private:
  Napi::Value byteLength(const Napi::CallbackInfo& info);
  Napi::Value view(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<Mapping> mapping_;
  // Two live ArrayBuffers over one address are two owners in V8's eyes, so each view is made once.
  std::map<std::pair<size_t, size_t>, Napi::Reference<Napi::ArrayBuffer>> views_;
};

}  // namespace xcl
