// Work that may take long, on a thread of libuv's pool; its outcome is a promise.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>

#include "errors.h"

namespace xcl {

/** Deletes itself when the promise is settled. `T` is copied to the main thread and made a value there. */
template <typename T>
class Background : public Napi::AsyncWorker {
 public:
  using Work = std::function<T()>;
  using ToJs = std::function<Napi::Value(Napi::Env, const T&)>;

  /** @param work must not touch JavaScript; a Failure in it rejects the promise with a XenError */
  static Napi::Value run(Napi::Env env, Work work, ToJs toJs) {
    auto* worker = new Background(env, std::move(work), std::move(toJs));
    const Napi::Value promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 private:
  Background(Napi::Env env, Work work, ToJs toJs)
      : Napi::AsyncWorker(env), work_(std::move(work)), toJs_(std::move(toJs)), deferred_(env) {}

  void Execute() override {
    try {
      outcome_ = work_();
    } catch (const Failure& failure) {
      failure_ = failure;
    }
  }

  void OnOK() override {
    if (failure_) {
      deferred_.Reject(toJs(Env(), *failure_).Value());
    } else {
      deferred_.Resolve(toJs_(Env(), *outcome_));
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Work work_;
  ToJs toJs_;
  Napi::Promise::Deferred deferred_;
  std::optional<T> outcome_;
  std::optional<Failure> failure_;
};

}  // namespace xcl
