// What one load has opened and made, and the commands it knows.
#pragma once

#include <string>

#include "arguments.h"
#include "clients.h"

namespace xcl::peers {

class Session {
 public:
  explicit Session(Target target) : target_(std::move(target)) {}

  /** @returns the line of JSON that answers @throws Failed, TooSlow */
  std::string run(const Arguments& arguments);

 private:
  std::string busy(const Arguments& arguments);

  Target target_;
};

}  // namespace xcl::peers
