// A guest's half of a network card or a disk, as Linux's netfront and blkfront behave on the store.
//
//                 backend 2            backend 4               backend 5           backend 6
//   1 Initialising -------> vif 4, vbd 3 -------> 4 Connected ------> 5, 6 Closed ------> released
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "task.h"
#include "text.h"
#include "xenbus.h"

namespace xcl::sim {

class NativeGuest;

class Frontend {
 public:
  Frontend(NativeGuest& guest, DeviceKind kind, uint32_t index);

  void start() { life_.start(); }
  /** The guest ends: it counts as connected no longer. */
  void disconnect();
  /** Throws what ended its life, if something did. */
  void check() const {
    if (life_.isDone()) life_.outcome();
  }
  std::string describe() const;

 private:
  using Path = Text<64>;
  Path path(std::string_view key) const;

  Task live();
  /** Follows the back end's state once. False: nothing more is to come. */
  Task follow();
  Task readBackend();
  Task offerRings();
  /** Two for a vif, one for a vbd, and their port. @returns false: the machine has none for it */
  bool makeRings();
  Task readDisk();
  Task close();
  void release();
  void settle();

  NativeGuest& guest_;
  DeviceKind kind_;
  bool isSettled_ = false;
  bool isConnected_ = false;
  uint32_t index_;
  Text<24> directory_;
  uint32_t backendDomid_ = 0;
  XenbusState state_ = XenbusState::kInitialising;
  XenbusState backendState_ = XenbusState::kUnknown;
  std::string backendStatePath_;
  Signal backendChanged_;
  /** tx and rx of a vif, the one ring of a vbd. */
  uint64_t rings_[2]{};
  uint32_t grefs_[2]{};
  uint32_t port_ = 0;
  Task life_;
};

}  // namespace xcl::sim
