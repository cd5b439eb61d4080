// Wraps the master of a pseudo terminal. The caller keeps the slave open: while nobody has it open, a
// master hangs up.
#pragma once

#include <napi.h>

#include "loop_watch.h"
#include "unique_fd.h"

namespace xcl {

/** openPty(): { master, slave, path }; the master does not block, the slave is raw. */
Napi::Value openPty(const Napi::CallbackInfo& info);

class PtyMaster : public Napi::ObjectWrap<PtyMaster>, private LoopListener {
 public:
  static Napi::Function define(Napi::Env env);

  explicit PtyMaster(const Napi::CallbackInfo& info);
  ~PtyMaster() override;

 private:
  void onReadable(const Napi::CallbackInfo& info);
  void onWritable(const Napi::CallbackInfo& info);
  void setReading(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void resize(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void onReady(int events) override;
  void onEnvironmentEnd() override { end(); }

  void readOnce();
  void call(Napi::FunctionReference& callback, std::initializer_list<napi_value> args);
  void rearm();
  void end();

  UniqueFd fd_;
  LoopWatch::Ptr watch_;
  Napi::FunctionReference readable_;
  Napi::FunctionReference writable_;
  Napi::AsyncContext context_;
  bool isReading_ = false;
};

}  // namespace xcl
