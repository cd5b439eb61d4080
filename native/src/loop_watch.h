// Wraps the uv handles with which native code joins node's event loop: one watched descriptor, one
// "come back in the next turn", one timer; and, for one listener in each loop, the loop's sleep itself. They
// close together.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <memory>

namespace xcl {

/** Who is called from the loop. */
class LoopListener {
 public:
  virtual ~LoopListener() = default;
  /** @param events UV_READABLE, UV_WRITABLE, UV_DISCONNECT; UV_READABLE | UV_WRITABLE on error */
  virtual void onReady(int events) = 0;
  /** The turn asked for with `again`. */
  virtual void onTurn() {}
  /** The time asked for with `later` is over. */
  virtual void onTimer() {}
  /** What there is to do after a wait. */
  struct Wake {
    /** `onTurn` is to be called. */
    bool isOwn = false;
    /** The loop's descriptor is readable. */
    bool isLoop = false;
  };
  /**
   * Waits instead of the loop, until the loop's descriptor is readable, the time is over, or there is
   * something to do for the listener itself.
   * @param timeoutMs 0: only looks; -1: for ever
   */
  virtual Wake onWait(int timeoutMs) {
    (void)timeoutMs;
    return {};
  }
  /** The environment ends: close everything, call no JavaScript. */
  virtual void onEnvironmentEnd() = 0;
};

/**
 * Owned by the listener through `Ptr`. uv keeps the memory of a handle until its close callback, so
 * letting go of the Ptr only begins the end: the object deletes itself when all are closed.
 */
class LoopWatch {
 public:
  struct Release {
    void operator()(LoopWatch* watch) const { watch->release(); }
  };
  using Ptr = std::unique_ptr<LoopWatch, Release>;

  static Ptr open(Napi::Env env, int fd, LoopListener* listener);

  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;

  /** Waits for these events (UV_READABLE …) until told otherwise; 0 waits for nothing. */
  void wait(int events);
  /** From now on the watched descriptor does not keep the process alive. */
  void unref() { uv_unref(reinterpret_cast<uv_handle_t*>(&poll_)); }
  /** Calls `onTurn` once, in the next turn of the loop, which then does not block. */
  void again();
  /** Calls `onTimer` once. */
  void later(uint64_t timeoutMs);
  /**
   * From now on `onWait` is called where the loop would wait for its descriptors, instead of `onReady`; the
   * loop itself only looks at them. Everything else on the loop has its turn as when the loop waits; only
   * immediates that are unref'd may wait a little.
   * @returns the descriptor that is readable when the loop has something to do; -1: another listener waits
   *   for this loop already
   */
  int waitForLoop();

 private:
  LoopWatch(Napi::Env env, LoopListener* listener) : env_(env), listener_(listener) {}
  ~LoopWatch() = default;

  void release();
  void sleep();
  static void onClosed(uv_handle_t* handle);

  napi_env env_;
  LoopListener* listener_;
  uv_poll_t poll_{};
  uv_idle_t idle_{};
  uv_timer_t timer_{};
  uv_prepare_t prepare_{};
  /** While it is active the loop does not block. */
  uv_idle_t awake_{};
  int open_ = 0;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace xcl
