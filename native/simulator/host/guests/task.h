// What runs in a guest, written as it reads: a coroutine that waits for replies, room and watches.
//
// GCC 12 destroys temporaries of a co_await expression wrongly when they have destructors. So a Task that
// is awaited has a name, and what is awaited otherwise is trivially destructible.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

namespace xcl::sim {

/** One step of a guest; it says whether it went well. Nothing runs before it is awaited or started. */
class [[nodiscard]] Task {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  struct ToContinuation {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Handle ended) const noexcept {
      const std::coroutine_handle<> next = ended.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  struct promise_type {
    std::coroutine_handle<> continuation;
    std::exception_ptr failure;
    bool outcome = false;

    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    ToContinuation final_suspend() const noexcept { return {}; }
    void return_value(bool value) { outcome = value; }
    void unhandled_exception() { failure = std::current_exception(); }
  };

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  /** Runs it, with nobody to come back to, until it first waits. */
  void start() { handle_.resume(); }
  bool isDone() const { return handle_ && handle_.done(); }
  /** Of a task that is done. Throws what ended it. */
  bool outcome() const {
    if (handle_.promise().failure) std::rethrow_exception(handle_.promise().failure);
    return handle_.promise().outcome;
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
    handle_.promise().continuation = waiting;
    return handle_;
  }
  bool await_resume() const { return outcome(); }

 private:
  explicit Task(Handle handle) : handle_(handle) {}

  Handle handle_;
};

/** Something that happens again and again, and one coroutine that waits for it. */
class Signal {
 public:
  /** Whoever waits goes on now; else the next wait ends at once. */
  void raise() {
    isRaised_ = true;
    if (waiting_) std::exchange(waiting_, nullptr).resume();
  }
  /** @returns whether it was raised since somebody last waited or asked */
  bool take() { return std::exchange(isRaised_, false); }

  struct Wait {
    Signal& signal;
    bool await_ready() const noexcept { return signal.isRaised_; }
    void await_suspend(std::coroutine_handle<> waiting) const noexcept { signal.waiting_ = waiting; }
    void await_resume() const noexcept { signal.isRaised_ = false; }
  };
  /** Until it is raised, or at once if it was since the last wait. */
  Wait wait() { return {*this}; }

 private:
  std::coroutine_handle<> waiting_;
  bool isRaised_ = false;
};

}  // namespace xcl::sim
