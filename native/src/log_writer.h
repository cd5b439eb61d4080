// Writes what was queued for many log files in one call from JavaScript; see LogWriter in native/os/log-writer.ts.
#pragma once

#include <napi.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xcl {

/** One piece of output for one file, and what has become of it; the words of native/os/log-writer.ts. */
struct LogEntry {
  int32_t fd;
  /** Which of the writer's memories, and where in it. */
  int32_t source;
  uint32_t start;
  uint32_t end;
  /** How long the file is afterwards if nobody else has changed it, modulo 2^32. */
  uint32_t expectedEnd;
  uint32_t written;
  int32_t error;
  /** How long it is, where that is something else or something failed. */
  uint32_t endLow;
  uint32_t endHigh;
};

class LogWriter : public Napi::ObjectWrap<LogWriter> {
 public:
  static Napi::Function define(Napi::Env env);

  /** @param info the entries, and the memory of source 0 */
  explicit LogWriter(const Napi::CallbackInfo& info);

 private:
  static constexpr size_t kSources = 2;
  static constexpr size_t kPartsAtOnce = 64;

  /** The memory of source 1. */
  void useSource(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  bool writeRun(std::span<LogEntry> run);
  void setSource(size_t which, const Napi::ArrayBuffer& memory);

  std::span<LogEntry> entries_;
  std::array<std::span<std::byte>, kSources> sources_;
  // Keep the memory.
  Napi::Reference<Napi::ArrayBuffer> entriesMemory_;
  std::array<Napi::Reference<Napi::ArrayBuffer>, kSources> sourcesMemory_;
};

/** openLog(path, facts): appends to it from now on; a descriptor, or an errno below zero. */
Napi::Value openLog(const Napi::CallbackInfo& info);

}  // namespace xcl
