// RingSet as a JavaScript object: joins the event loop, calls TypeScript once per turn.
#pragma once

#include <napi.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "errors.h"
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
  Napi::Value isBound(const Napi::CallbackInfo& info);
  void reconnect(const Napi::CallbackInfo& info);
  void reset(const Napi::CallbackInfo& info);
  void resume(const Napi::CallbackInfo& info);
  void drain(const Napi::CallbackInfo& info);
  void detach(const Napi::CallbackInfo& info);
  void listen(const Napi::CallbackInfo& info);
  void findPaths(const Napi::CallbackInfo& info);
  void serve(const Napi::CallbackInfo& info);
  static Napi::Value next(const Napi::CallbackInfo& info);
  void serveNow(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  Napi::Value expireEvents(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // ring_set_adopt_object.cc
  Napi::Value inheritableDescriptors(const Napi::CallbackInfo& info);
  Napi::Value inputOf(const Napi::CallbackInfo& info);
  Napi::Value unsentOf(const Napi::CallbackInfo& info);
  Napi::Value cutOf(const Napi::CallbackInfo& info);
  void putBack(const Napi::CallbackInfo& info);
  void releaseVirqs(const Napi::CallbackInfo& info);
  void bindVirqs(const Napi::CallbackInfo& info);
  void adoptListener(const Napi::CallbackInfo& info);
  Napi::Value adoptSocket(const Napi::CallbackInfo& info);
  Napi::Value adoptRing(const Napi::CallbackInfo& info);
  void restoreOutput(const Napi::CallbackInfo& info);

  void onReady(int) override { turn(); }
  void onTurn() override { turn(); }
  void onTimer() override;
  Wake onWait(int timeoutMs) override;
  void onEnvironmentEnd() override { end(); }

  /** Runs `body` on the open set; failures become XenError; what it left to do is taken up soon. */
  template <typename Body>
  auto withSet(Napi::Env env, Body body) {
    return guarded(env, [&] {
      if (!set_) throw Failure("ring set", EBADF, "the set of rings is closed");
      struct ComeBack {
        RingSetObject* self;
        ~ComeBack() { self->comeBack(); }
      } later{this};
      return body();
    });
  }
  /** Runs `body` where no JavaScript stands above: what it throws is an uncaught exception. */
  template <typename Body>
  void fromLoop(Body body);
  void turn();
  size_t nextBatch();
  /** Sends what the batch's handler has put into the output, and frees ids. */
  void settleBatch();
  /** Sends what TypeScript has put into the output. */
  void flushOutput();
  void comeBack();
  void end();

  std::unique_ptr<RingSet> set_;
  LoopWatch::Ptr watch_;
  // Keep the memory that set_ points into.
  std::vector<Napi::Reference<Napi::ArrayBuffer>> memory_;
  /** One word: how many of the output are in use; TypeScript adds, `flushOutput` takes. */
  std::span<int32_t> outputWords_;
  /** One number: so many milliseconds it was when the last batch was made. */
  std::span<double> clock_;
  Napi::FunctionReference onBatch_;
  bool isInTurn_ = false;
  /** Its turns come where the loop would wait. */
  bool waitsForLoop_ = false;
  /** Nobody waits for what it does; and the last wait was a short one. */
  bool mayLinger_ = false;
  bool isBusy_ = false;
  size_t wordsInTurn_ = 0;
  /** uv_hrtime. */
  uint64_t turnEndsNs_ = 0;
};

}  // namespace xcl
