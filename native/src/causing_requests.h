// Requests of which events wait for other connections than the one that asked: each has a place here,
// which its events name while they wait, so that every one of them is counted, whatever the limit is.
//
//   place   1        2        3 …
//           request  free     request …     free places are linked
//
// A place is taken when an output record names a cause, before it is known whether anything will wait.
// So places stay until `settle` at least: other records of that output may still name them.
#pragma once

#include <cstdint>
#include <vector>

namespace xcl {

/** Who asked, and what; `tenancy` tells users of one connection's number from each other. */
struct CausingRequest {
  uint32_t connection = 0;
  uint32_t tenancy = 0;
  uint32_t request = 0;
  bool operator==(const CausingRequest&) const = default;
};

class CausingRequests {
 public:
  CausingRequests() : places_(1) {}

  /**
   * @param place where the connection's last request with events stood; 0: nowhere yet
   * @returns where this one stands: there, if it is the same, otherwise anew
   */
  uint32_t placeOf(const CausingRequest& request, uint32_t place);

  /** @returns whose events a place holds; its connection is 0 when nobody stands there */
  const CausingRequest& at(uint32_t place) const { return places_[place].request; }

  /** One more event of the request waits. @returns is it the first? */
  bool addEvent(uint32_t place) { return places_[place].events++ == 0; }

  /** One less waits. @returns was it the last? Then the place may be another's from now on. */
  bool removeEvent(uint32_t place);

  /** The output is done with: requests without events give up their places. */
  void settle();

 private:
  struct Place {
    CausingRequest request;
    uint32_t events = 0;
    /** The next free place; 0 = none. */
    uint32_t next = 0;
    /** Named by the present output. */
    bool isNamed = false;
  };

  void give(uint32_t place);

  /** Place 0 is nobody's. */
  std::vector<Place> places_;
  uint32_t free_ = 0;
  std::vector<uint32_t> named_;
};

}  // namespace xcl
