// The far end of a connection, and what the oracle knows of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "heard.h"
#include "loopback_world.h"
#include "said.h"
#include "shared_ring.h"
#include "unique_fd.h"

namespace fuzz {

class Peer {
 public:
  virtual ~Peer() = default;

  /** @returns how many bytes went in */
  virtual size_t write(std::span<const std::byte> bytes) = 0;
  virtual Bytes read(size_t max) = 0;
  /** Tells the daemon that something has been written or read. */
  virtual void kick() = 0;
  virtual bool isSocket() const = 0;

  /** Sends as much as goes in of what is to be said. */
  size_t push(size_t max);
  /** Takes what is there and checks it. */
  size_t pull(size_t max);

  Said said;
  Heard heard;
  /** 0: the daemon has no connection to it. */
  uint32_t id = 0;
  uint32_t nextSerial = 1;
  /** Has it kept to the protocol of rings? */
  bool isLawful = true;
  /** The daemon may end the connection for another reason than an unlawful peer. */
  bool mayBeGivenUp = false;
  bool isGivenUp = false;
  /** The daemon has said that the connection is broken or closed. */
  bool isReported = false;
  /** A guest waits for a new beginning; until then it neither writes nor reads. */
  bool isAsking = false;
  uint32_t waits = 0;
  uint32_t drains = 0;
  /** The last of a console is waited for: everything up to there of what it says. */
  bool isLastWanted = false;
  size_t lastWanted = 0;

  /** The connection is gone or begins anew. */
  void beginAnew();
};

class GuestPeer : public Peer {
 public:
  GuestPeer(std::shared_ptr<xcl::LoopbackWorld> world, uint32_t domid, bool isConsole);

  size_t write(std::span<const std::byte> bytes) override;
  Bytes read(size_t max) override;
  void kick() override;
  bool isSocket() const override { return false; }

  /** A new incarnation of the domain: fresh page, fresh port. */
  void beBorn();
  void die();
  uint32_t addPort() { return port_ = world_->addPort(domid); }
  uint32_t port() const { return port_; }
  /** Puts a value over one of the four indices. */
  void corrupt(uint32_t which, uint32_t value);
  /** Are the indices of its requests as no lawful guest can have them? Those of replies matter with a reply only. */
  bool isCorrupt() const;
  /** Empties the ring from the guest's side, with all indices at `value`. */
  void restart(uint32_t value);
  bool isEmpty() const;
  void askForConnection() { xcl::storeShared(page(), xcl::kXenstoreConnection, 1); }
  /** Says in its page which port is its own. */
  void namePort(uint32_t named) { xcl::storeShared(page(), xcl::kXenstorePort, named); }
  /** Up to where the daemon has given its output back. */
  uint32_t outputIndex() const { return word(out_.cons); }
  uint32_t word(uint32_t offset) const { return xcl::loadShared(page(), offset); }
  /** Has the daemon moved one of its indices since the last question? */
  bool hasMoved();
  uint32_t takeNotifications() const;

  const uint32_t domid;
  bool isAlive = true;

 private:
  std::byte* page() const { return page_->bytes.data(); }

  std::shared_ptr<xcl::LoopbackWorld> world_;
  std::shared_ptr<xcl::LoopbackPage> page_;
  const xcl::RingLayout out_;
  const xcl::RingLayout in_;
  uint32_t port_ = 0;
  uint32_t seenCons_ = 0;
  uint32_t seenProd_ = 0;
};

class SocketPeer : public Peer {
 public:
  /** Connects; the daemon accepts when it comes to it. */
  explicit SocketPeer(const std::string& path);

  size_t write(std::span<const std::byte> bytes) override;
  Bytes read(size_t max) override;
  void kick() override {}
  bool isSocket() const override { return true; }

  void close();
  void endWriting();
  bool isClosed() const { return !fd_.isOpen(); }
  /** Nothing more can be sent. */
  bool hasEnded() const { return isClosed() || hasEnded_; }
  bool isRefused() const { return isRefused_; }

 private:
  xcl::UniqueFd fd_;
  bool hasEnded_ = false;
  bool isRefused_ = false;
};

}  // namespace fuzz
