// Failures of Xen and system calls, without any JavaScript; errors.h takes them there.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace xcl {

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

 private:
  std::string op_;
  int error_;
  std::optional<uint32_t> domid_;
};

/** Name of an errno value, `EINVAL`; its number where it has no name. */
std::string errnoName(int error);

}  // namespace xcl
