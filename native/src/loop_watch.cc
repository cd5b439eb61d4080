#include "loop_watch.h"

#include "errors.h"

namespace xcl {

namespace {

// So long what comes is waited for without going round the loop, which has something to do only then: what is put off
// by immediates that are unref'd.
constexpr uint64_t kStayMs = 100;

// Who waits instead of this thread's loop. A second one would not hear of what the first waits for.
thread_local LoopWatch* waiting = nullptr;

}  // namespace

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
  uv_prepare_init(loop, &watch->prepare_);
  uv_idle_init(loop, &watch->awake_);
  watch->poll_.data = watch->idle_.data = watch->timer_.data = watch->prepare_.data = watch->awake_.data = watch;
  watch->open_ = 5;
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

int LoopWatch::waitForLoop() {
  if (waiting != nullptr) return -1;
  waiting = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<LoopWatch*>(handle->data)->sleep(); });
  return uv_backend_fd(poll_.loop);
}

// Called when all that was ready has been handled, immediately before the loop looks for more. While the loop has
// nothing to do the next request is waited for here: the way round through the loop costs more than serving it.
void LoopWatch::sleep() {
  uv_loop_t* loop = poll_.loop;
  const uint64_t begunMs = uv_now(loop);
  for (;;) {
    // 0: a timer is due, something is put off or about to close, or the loop has yet to watch a descriptor.
    const int timeoutMs = uv_backend_timeout(loop);
    const LoopListener::Wake wake = listener_->onWait(timeoutMs);
    if (!wake.isOwn) break;
    listener_->onTurn();
    if (listener_ == nullptr) return;
    uv_update_time(loop);
    if (timeoutMs == 0 || wake.isLoop || uv_now(loop) - begunMs > kStayMs) break;
  }
  uv_idle_start(&awake_, [](uv_idle_t* handle) { uv_idle_stop(handle); });
}

void LoopWatch::release() {
  listener_ = nullptr;
  if (waiting == this) waiting = nullptr;
  uv_poll_stop(&poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&awake_), onClosed);
}

void LoopWatch::onClosed(uv_handle_t* handle) {
  auto* self = static_cast<LoopWatch*>(handle->data);
  if (--self->open_ > 0) return;
  napi_remove_async_cleanup_hook(self->hook_);
  delete self;
}

}  // namespace xcl
