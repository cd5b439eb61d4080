#include "loop_watch.h"

#include "errors.h"

namespace xcl {

LoopWatch::Ptr LoopWatch::open(Napi::Env env, int fd, LoopListener* listener) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* watch = new LoopWatch(env, listener);
  const int status = uv_poll_init(loop, &watch->poll_, fd);
  if (status != 0) {
    delete watch;
    throw Failure("uv_poll_init", -status, "cannot watch descriptor " + std::to_string(fd));
  }
  uv_idle_init(loop, &watch->idle_);
  uv_timer_init(loop, &watch->timer_);
  watch->poll_.data = watch->idle_.data = watch->timer_.data = watch;
  watch->open_ = 3;
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle, void* data) {
        auto* self = static_cast<LoopWatch*>(data);
        if (self->listener_ != nullptr) self->listener_->onEnvironmentEnd();
      },
      watch, &watch->hook_);
  return Ptr(watch);
}

void LoopWatch::wait(int events) {
  if (events == 0) {
    uv_poll_stop(&poll_);
    return;
  }
  uv_poll_start(&poll_, events, [](uv_poll_t* handle, int status, int ready) {
    auto* self = static_cast<LoopWatch*>(handle->data);
    if (self->listener_ == nullptr) return;
    self->listener_->onReady(status == 0 ? ready : UV_READABLE | UV_WRITABLE);
  });
}

void LoopWatch::again() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&idle_))) return;
  uv_idle_start(&idle_, [](uv_idle_t* handle) {
    uv_idle_stop(handle);
    auto* self = static_cast<LoopWatch*>(handle->data);
    if (self->listener_ != nullptr) self->listener_->onTurn();
  });
}

void LoopWatch::later(uint64_t timeoutMs) {
  uv_timer_start(
      &timer_,
      [](uv_timer_t* handle) {
        auto* self = static_cast<LoopWatch*>(handle->data);
        if (self->listener_ != nullptr) self->listener_->onTimer();
      },
      timeoutMs, 0);
}

void LoopWatch::release() {
  listener_ = nullptr;
  uv_poll_stop(&poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), onClosed);
}

void LoopWatch::onClosed(uv_handle_t* handle) {
  auto* self = static_cast<LoopWatch*>(handle->data);
  if (--self->open_ > 0) return;
  napi_remove_async_cleanup_hook(self->hook_);
  delete self;
}

}  // namespace xcl
