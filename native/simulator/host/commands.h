// Commands of the control socket: what tests and benches ask of the machine besides what Xen can.
#pragma once

#include <string>
#include <vector>

#include "domain.h"

namespace xcl::sim {

class Commands {
 public:
  explicit Commands(Machine& machine) : machine_(machine) {}

  /** @returns the lines of the answer; throws HostFailure with `tried` the sentence to say */
  std::vector<std::string> run(const std::vector<std::string>& words);

 private:
  using Lines = std::vector<std::string>;
  using Words = std::vector<std::string>;

  Lines help() const;
  Lines stats() const;
  Lines fault(const Words& words);
  Lines faults(const Words& words);
  Lines die(const Words& words);
  Lines domid(const Words& words);
  void end(Domain& domain, const std::string& how);

  Machine& machine_;
};

}  // namespace xcl::sim
