// RingSet as a JavaScript object: joins the event loop, calls TypeScript once per batch.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "loop_watch.h"
#include "ring_set.h"

namespace xcl {

class RingSetObject : public Napi::ObjectWrap<RingSetObject>, private LoopListener {
 public:
  static Napi::Function define(Napi::Env env);

  /** @param info RingSetConfig of native/addon.ts */
  explicit RingSetObject(const Napi::CallbackInfo& info);
  ~RingSetObject() override;

 private:
  Napi::Value attach(const Napi::CallbackInfo& info);
  Napi::Value attachSelf(const Napi::CallbackInfo& info);
  void reattach(const Napi::CallbackInfo& info);
  void reset(const Napi::CallbackInfo& info);
  void resume(const Napi::CallbackInfo& info);
  void detach(const Napi::CallbackInfo& info);
  void listen(const Napi::CallbackInfo& info);
  void serve(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  Napi::Value expireEvents(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  void onReady(int) override { turn(); }
  void onTurn() override { turn(); }
  void onTimer() override;
  void onEnvironmentEnd() override { end(); }

  /** Runs `body` on the open set; failures become XenError; what it left to do is taken up soon. */
  template <typename Body>
  auto withSet(Napi::Env env, Body body);
  /** Runs `body` where no JavaScript stands above: what it throws is an uncaught exception. */
  template <typename Body>
  void fromLoop(Body body);
  void turn();
  void callBatch(size_t words);
  void comeBack();
  void end();

  std::unique_ptr<RingSet> set_;
  LoopWatch::Ptr watch_;
  // Keep the memory that set_ points into.
  std::vector<Napi::Reference<Napi::ArrayBuffer>> memory_;
  Napi::FunctionReference onBatch_;
  Napi::AsyncContext context_;
  bool isInTurn_ = false;
};

}  // namespace xcl
