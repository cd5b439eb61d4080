// Domains of a simulated machine that die, and how soon those who watch for it are told.
#pragma once

#include <string>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "creation.h"
#include "measurement.h"

namespace xcl::peers {

class Death {
 public:
  /** @param control path of the machine's control socket */
  Death(const Target& target, const std::string& control, const Deadline& limit);
  ~Death();
  Death(const Death&) = delete;
  Death& operator=(const Death&) = delete;

  /** An operation is a domain's death, told to a watch of @releaseDomain. @param domains die from the last one on */
  Measurement measure(std::vector<NewDomain>& domains, const Bounds& bounds);

 private:
  void command(const std::string& line);

  Target target_;
  Connection watcher_;
  int control_;
};

}  // namespace xcl::peers
