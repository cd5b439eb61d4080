// Failures on their way to JavaScript, where they become XenError (native/xen-error.ts).
#pragma once

#include <napi.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace xcl {

/** What one environment (main thread or worker) knows: the class that failures are made of. */
struct AddonData {
  Napi::FunctionReference xenError;
};

/**
 * A Xen or system call that failed. Holds no JavaScript value, so any thread may make one.
 * Its message is the sentence a person reads: `dom 17: cannot bind event channel: EINVAL`.
 */
class Failure : public std::runtime_error {
 public:
  Failure(std::string op, int error, const std::string& tried, std::optional<uint32_t> domid = {});

  const std::string& op() const { return op_; }
  int error() const { return error_; }
  std::optional<uint32_t> domid() const { return domid_; }

  /** A XenError with this failure's fields. */
  Napi::Error toJs(Napi::Env env) const;

 private:
  std::string op_;
  int error_;
  std::optional<uint32_t> domid_;
};

/** Name of an errno value, `EINVAL`; its number where it has no name. */
std::string errnoName(int error);

/** Runs the body of a function called from JavaScript; failures leave it as XenError. */
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Failure& failure) {
    throw failure.toJs(env);
  }
}

}  // namespace xcl
