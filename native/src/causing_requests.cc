#include "causing_requests.h"

namespace xcl {

uint32_t CausingRequests::placeOf(const CausingRequest& request, uint32_t place) {
  if (places_[place].request != request) {
    place = free_;
    if (place == 0) {
      place = static_cast<uint32_t>(places_.size());
      places_.emplace_back();
    }
    free_ = places_[place].next;
    places_[place] = Place{request};
  }
  if (!places_[place].isNamed) named_.push_back(place);
  places_[place].isNamed = true;
  return place;
}

bool CausingRequests::removeEvent(uint32_t place) {
  Place& entry = places_[place];
  if (entry.events == 0 || --entry.events > 0) return false;
  if (!entry.isNamed) give(place);
  return true;
}

void CausingRequests::settle() {
  for (const uint32_t place : named_) {
    places_[place].isNamed = false;
    if (places_[place].events == 0) give(place);
  }
  named_.clear();
}

void CausingRequests::give(uint32_t place) {
  places_[place] = Place{};
  places_[place].next = free_;
  free_ = place;
}

}  // namespace xcl
