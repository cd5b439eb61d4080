// What all guests of the machine share: who is there, what they did, what they are asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "../event_loop.h"
#include "../guest_machine.h"
#include "statistics.h"

namespace xcl::sim {

class NativeGuest;

class GuestRegistry {
 public:
  GuestRegistry(GuestNews& news, FaultPoints& faults, EventLoop& loop) : news_(news), faults_(faults), loop_(loop) {}

  GuestNews& news() { return news_; }
  FaultPoints& faults() { return faults_; }
  EventLoop& loop() { return loop_; }
  Statistics& statistics() { return statistics_; }

  void add(NativeGuest& guest);
  void remove(NativeGuest& guest);
  NativeGuest* find(uint32_t domid) const;
  /** It is READY and takes part in the work. */
  void addReady(NativeGuest& guest);
  void removeReady(NativeGuest& guest);

  /** Each READY guest works so many times a second from now on, their turns spread over it. 0: none does. */
  void work(double perSecond, uint64_t nowNs);
  uint64_t workPeriodNs() const { return workPeriodNs_; }

  /** Guests with script=print that run, in the order of their numbers. */
  std::vector<NativeGuest*> printers() const;
  /** Each of them prints so many lines, so often a second, their turns spread over it; 0: as fast as it goes. */
  void print(uint64_t lines, double perSecond, uint64_t nowNs);

 private:
  uint64_t nextPhaseNs(uint64_t periodNs);

  GuestNews& news_;
  FaultPoints& faults_;
  EventLoop& loop_;
  Statistics statistics_;
  std::unordered_map<uint32_t, NativeGuest*> guests_;
  std::vector<NativeGuest*> ready_;
  uint64_t workPeriodNs_ = 0;
  uint64_t phases_ = 0;
};

}  // namespace xcl::sim
