// A guest's end of its store ring, for somebody outside of the machine: whoever connects to a unix socket
// speaks for the guest's kernel, byte by byte, as a test's client does.
//
//   peer ---> socket ---> request ring ---> daemon      no room in the ring: nothing more is read
//   peer <--- socket <--- reply ring <----- daemon      no room in the socket: the ring is left as it is
//
// Bytes are passed on as they come, whatever they mean: the stream goes on where the last peer left it. Each
// step is announced to the daemon as a kernel would. While the guest asks for a reconnection the ring is the
// daemon's alone (xen/include/public/io/xs_wire.h, XENSTORE_RECONNECT).
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "../event_loop.h"
#include "../listener.h"

namespace xcl::sim {

class NativeGuest;

class Tap {
 public:
  Tap(EventLoop& loop, NativeGuest& guest) : loop_(loop), guest_(guest) {}
  ~Tap() { close(); }
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  /** Peers find it there from now on, and nowhere else. @throws HostFailure */
  void listen(const std::string& path);
  /** Passes on what there is, as far as it goes; more is looked for when `NativeGuest::woken` is raised. */
  void pump();
  /** The guest has ended: who is connected hears of it. */
  void close();

 private:
  /** One connection; the next one is looked at when it has gone. */
  class Peer : public Watcher {
   public:
    Peer(Tap& tap, UniqueFd fd) : tap_(tap), fd_(std::move(fd)) {}
    ~Peer() override;
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void serve();
    void onReady(uint32_t events) override;
    /** @returns bytes read; 0: none for now, or for ever */
    size_t read(std::byte* into, size_t most);
    /** @returns bytes that it took */
    size_t write(const std::byte* from, size_t count);
    /** Nothing comes from it any more, and nobody hears what it is sent. */
    bool hasGone() const { return isReadEnded_ && isHungUp_; }

   private:
    Tap& tap_;
    UniqueFd fd_;
    bool isServed_ = false;
    bool isReadEnded_ = false;
    bool isHungUp_ = false;
  };

  void accept(UniqueFd fd);
  /** @returns whether anything was moved */
  bool takeRequests();
  bool giveReplies();

  EventLoop& loop_;
  NativeGuest& guest_;
  bool isClosed_ = false;
  std::unique_ptr<Listener> listener_;
  /** The first is the one that is served. */
  std::deque<std::unique_ptr<Peer>> peers_;
};

}  // namespace xcl::sim
