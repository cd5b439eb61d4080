#include "guest_registry.h"

#include <algorithm>

#include "native_guest.h"

namespace xcl::sim {

namespace {

/** 0: never. */
uint64_t periodOf(double perSecond) { return perSecond > 0 ? static_cast<uint64_t>(1e9 / perSecond) : 0; }

}  // namespace

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
  if (workPeriodNs_ != 0) guest.startWork(guest.machine().nowNs() + nextPhaseNs(workPeriodNs_));
}

void GuestRegistry::removeReady(NativeGuest& guest) {
  NativeGuest* const last = ready_.back();
  ready_[guest.readyPlace] = last;
  last->readyPlace = guest.readyPlace;
  ready_.pop_back();
  statistics_.ready--;
}

void GuestRegistry::work(double perSecond, uint64_t nowNs) {
  workPeriodNs_ = periodOf(perSecond);
  for (NativeGuest* const guest : ready_) {
    if (workPeriodNs_ == 0) {
      guest->stopWork();
    } else {
      guest->startWork(nowNs + nextPhaseNs(workPeriodNs_));
    }
  }
}

std::vector<NativeGuest*> GuestRegistry::printers() const {
  std::vector<NativeGuest*> printers;
  for (const auto& [domid, guest] : guests_) {
    if (guest->printer() != nullptr && guest->isUp()) printers.push_back(guest);
  }
  std::sort(printers.begin(), printers.end(), [](const NativeGuest* one, const NativeGuest* other) {
    return one->domid() < other->domid();
  });
  return printers;
}

void GuestRegistry::print(uint64_t lines, double perSecond, uint64_t nowNs) {
  const uint64_t periodNs = periodOf(perSecond);
  for (NativeGuest* const guest : printers()) {
    guest->startPrinting(lines, periodNs, nowNs + nextPhaseNs(periodNs));
  }
}

uint64_t GuestRegistry::nextPhaseNs(uint64_t periodNs) {
  // Multiples of the golden ratio, modulo one: evenly spread after any number of them.
  const uint64_t turn = phases_++ * 0x9e3779b97f4a7c15U;
  return static_cast<uint64_t>((static_cast<unsigned __int128>(turn) * periodNs) >> 64);
}

}  // namespace xcl::sim
