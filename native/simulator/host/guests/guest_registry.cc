#include "guest_registry.h"

#include "native_guest.h"

namespace xcl::sim {

void GuestRegistry::add(NativeGuest& guest) { guests_[guest.domid()] = &guest; }

void GuestRegistry::remove(NativeGuest& guest) {
  const auto found = guests_.find(guest.domid());
  if (found != guests_.end() && found->second == &guest) guests_.erase(found);
}

NativeGuest* GuestRegistry::find(uint32_t domid) const {
  const auto found = guests_.find(domid);
  return found == guests_.end() ? nullptr : found->second;
}

void GuestRegistry::addReady(NativeGuest& guest) {
  guest.readyPlace = ready_.size();
  ready_.push_back(&guest);
  statistics_.ready++;
  if (workPeriodNs_ != 0) guest.startWork(guest.machine().nowNs() + nextPhaseNs());
}

void GuestRegistry::removeReady(NativeGuest& guest) {
  NativeGuest* const last = ready_.back();
  ready_[guest.readyPlace] = last;
  last->readyPlace = guest.readyPlace;
  ready_.pop_back();
  statistics_.ready--;
}

void GuestRegistry::work(double perSecond, uint64_t nowNs) {
  workPeriodNs_ = perSecond > 0 ? static_cast<uint64_t>(1e9 / perSecond) : 0;
  for (NativeGuest* const guest : ready_) {
    if (workPeriodNs_ == 0) {
      guest->stopWork();
    } else {
      guest->startWork(nowNs + nextPhaseNs());
    }
  }
}

uint64_t GuestRegistry::nextPhaseNs() {
  // Multiples of the golden ratio, modulo one: evenly spread after any number of them.
  const uint64_t turn = phases_++ * 0x9e3779b97f4a7c15U;
  return static_cast<uint64_t>((static_cast<unsigned __int128>(turn) * workPeriodNs_) >> 64);
}

}  // namespace xcl::sim
