// What one load has opened and made, and the commands it knows.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "children.h"
#include "clients.h"
#include "population.h"

namespace xcl::peers {

class Session {
 public:
  explicit Session(const Target& target) : target_(target), population_(target) {}

  /** @returns the line of JSON that answers @throws Failed, TooSlow */
  std::string run(const Arguments& arguments);

 private:
  Measurement busy(const Arguments& arguments, const Bounds& bounds);
  Measurement children(const Arguments& arguments, const Bounds& bounds);
  Measurement create(const Arguments& arguments, const Bounds& bounds);
  /** What the daemon does while others ask it. */
  Measurement wait(const Bounds& bounds) const;
  Measurement populate(const Arguments& arguments, const Bounds& bounds);

  Target target_;
  Population population_;
  /** By how many they are. */
  std::map<size_t, std::unique_ptr<Children>> children_;
  /** Domains of guests that are still to be created, by the file that they are from. */
  std::map<std::string, std::vector<NewDomain>> newcomers_;
  /** Domains that may die, read when the first one is to. */
  std::vector<NewDomain> mortals_;
};

}  // namespace xcl::peers
