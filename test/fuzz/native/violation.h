// What the oracle says when the connections' native half broke a promise.
#pragma once

#include <stdexcept>
#include <string>

namespace fuzz {

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool isMet, const std::string& promise) {
  if (!isMet) throw Violation(promise);
}

}  // namespace fuzz
