// Wraps a datagram socket connected to one unix address. The object owns the descriptor; nothing blocks.
#pragma once

#include <napi.h>

#include "loop_watch.h"
#include "unique_fd.h"

namespace xcl {

class DatagramSocket : public Napi::ObjectWrap<DatagramSocket>, private LoopListener {
 public:
  static Napi::Function define(Napi::Env env);

  /** @throws XenError when nobody receives there */
  explicit DatagramSocket(const Napi::CallbackInfo& info);
  ~DatagramSocket() override;

 private:
  Napi::Value send(const Napi::CallbackInfo& info);
  void onWritable(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void onReady(int events) override;
  void onEnvironmentEnd() override { end(); }
  void end();

  UniqueFd fd_;
  LoopWatch::Ptr watch_;
  Napi::FunctionReference writable_;
  Napi::AsyncContext context_;
};

}  // namespace xcl
