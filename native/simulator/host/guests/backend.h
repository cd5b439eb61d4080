// Dom0's half of a network card or a disk, as Linux's netback and blkback behave on the store.
//
//   1 Initialising (the toolstack's) --> 2 InitWait --> 4 Connected --> 5 Closing --> 6 Closed
//
// InitWait comes with the features, and a network card's interface exists from then on. Connected waits for
// the front end's rings and for the toolstack: `hotplug-status` of a network card, `physical-device` of a disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store_session.h"
#include "task.h"
#include "text.h"
#include "xenbus.h"

namespace xcl::sim {

class Dom0Kernel;

class Backend {
 public:
  Backend(Dom0Kernel& kernel, DeviceKind kind, uint32_t domid, uint32_t index);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  void start() { life_.start(); }
  DeviceKind kind() const { return kind_; }
  uint32_t domid() const { return domid_; }
  uint32_t index() const { return index_; }

  /** The front end's state has changed. */
  void onFrontend();
  /** A key of its directory has changed; empty: the directory itself, which may be gone. */
  void onKey(std::string_view key);
  /** XenStore's daemon is another one, which knows no watch: all may have changed. */
  void onNewDaemon();
  /** It has ended, but its directory has changed since, or was made anew. */
  bool mustBeginAnew() const { return mustBeginAnew_; }

  /** Next one of the same domain and kind. */
  Backend* next = nullptr;

 private:
  using Path = Text<96>;
  Path path(std::string_view key) const { return Path(directory_.view(), "/", key); }
  Path frontendPath(std::string_view key) const { return Path(frontend_, "/", key); }

  Task live();
  Task serve();
  Task probe();
  Task offer();
  /** Looks at what has changed. False: the device is gone. */
  Task look();
  /** Does what the states ask for. False: nothing more is to come. */
  Task act();
  Task connect();
  Task connectRings();
  Task readPlug();
  Task announceDisk();
  Task reportFailure(int error, std::string_view what);
  void mapRings(const uint32_t* grefs, uint32_t ringCount, uint32_t remotePort);
  void disconnect();

  Dom0Kernel& kernel_;
  DeviceKind kind_;
  bool hasFrontendChanged_ = false;
  bool hasDirectoryChanged_ = false;
  bool mustWatchAnew_ = false;
  bool hasInterface_ = false;
  bool isPlugged_ = false;
  bool hasEnded_ = false;
  bool mustBeginAnew_ = false;
  uint32_t domid_;
  uint32_t index_;
  uint32_t slot_ = UINT32_MAX;
  XenbusState state_ = XenbusState::kInitialising;
  /** Until it was read, one that has not begun. */
  XenbusState frontendState_ = XenbusState::kInitialising;
  uint64_t sectors_ = 0;
  uint32_t grefs_[2]{};
  uint32_t mapped_ = 0;
  uint32_t port_ = 0;
  Text<40> directory_;
  std::string frontend_;
  Signal changed_;
  Task life_;
};

}  // namespace xcl::sim
