// Why a measurement has no figure.
#pragma once

#include <stdexcept>
#include <string>

namespace xcl::peers {

/** The daemon did what it should not, or answered an error: a sentence for people. */
class Failed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/** The time that a measurement may take is over, and nothing can be said but that it takes longer. */
class TooSlow : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace xcl::peers
