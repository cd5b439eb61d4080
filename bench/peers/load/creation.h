// What a toolstack asks of the store when it creates a guest with a network card, a disk and a console: as
// libxl does it, a request at a time (203 in five transactions), and as xcl does it, in one transaction whose
// requests leave together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clients.h"
#include "connection.h"
#include "guest_nodes.h"
#include "measurement.h"

namespace xcl::peers {

/** A domain as INTRODUCE is told of it; gfn 0: it has no ring, and is not introduced. */
struct NewDomain {
  uint32_t domid = 0;
  uint64_t gfn = 0;
  uint32_t port = 0;
};

/** From a file with a domain a line: domid, gfn and port. @throws Failed when there are none */
std::vector<NewDomain> domainsIn(const std::string& file);

/** The payload of INTRODUCE. */
std::string introduction(const NewDomain& domain);

class Creation {
 public:
  explicit Creation(const Target& target) : target_(target), connection_(target.socketPath) {}

  /**
   * An operation is a guest, which is taken away again; that does not count.
   * @param domains taken from its end, each once if it has a ring: not every daemon introduces a domain again
   */
  Measurement oneByOne(std::vector<NewDomain>& domains, const Bounds& bounds);
  Measurement pipelined(std::vector<NewDomain>& domains, const Bounds& bounds);

 private:
  using Create = void (Creation::*)(const NewDomain& domain, const Deadline& limit);

  Measurement measure(Create create, std::vector<NewDomain>& domains, const Bounds& bounds);
  void createOneByOne(const NewDomain& domain, const Deadline& limit);
  void createPipelined(const NewDomain& domain, const Deadline& limit);
  void introduce(const NewDomain& domain, const Deadline& limit);
  void remove(const NewDomain& domain, const Deadline& limit);
  void expect(const Step& step, const Message& message) const;
  uint32_t start(const Deadline& limit);

  Target target_;
  Connection connection_;
};

}  // namespace xcl::peers
