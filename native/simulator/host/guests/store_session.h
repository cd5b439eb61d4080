// A guest's XenStore connection, over the ring page that it shares with the daemon.
//
//   send ---> overflow_ (only while the ring is full) ---> request ring ---> daemon
//   pending_: who waits for which reply; replies come in the order of the requests
//   daemon ---> reply ring ---> partial_ (only a message in pieces) ---> who waits, or the listener
//
// Notifications are sparing, as Linux's are (drivers/xen/xenbus/xenbus_comms.c): a request is announced
// only if the daemon had taken all before it, room only if the reply ring was full.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../guest_machine.h"
#include "pending_requests.h"
#include "statistics.h"
#include "store_wire.h"
#include "task.h"

namespace xcl::sim {

/** Who hears what comes unasked. */
class StoreListener {
 public:
  virtual void onWatchEvent(std::string_view path, std::string_view token) = 0;
  /** The daemon broke the protocol, and nothing is read from it any more. */
  virtual void onBroken(const std::string& sentence) = 0;

 protected:
  ~StoreListener() = default;
};

/** An answer; `text` holds until its receiver next waits. */
struct StoreReply {
  bool isOk = false;
  /** A value, a list of names, a transaction's number; the name of an error when it is not ok. */
  std::string_view text;
};

class StoreSession;

/** One request: `co_await` sends it and gives its reply. */
class StoreCall : private StoreWaiter {
 public:
  StoreCall(StoreSession& session, StoreOp op, uint32_t txId, std::string_view head, std::string_view tail,
            bool endsWithNul)
      : session_(session), head_(head), tail_(tail), op_(op), txId_(txId), endsWithNul_(endsWithNul) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller);
  StoreReply await_resume() const noexcept { return {isOk, text}; }

 private:
  StoreSession& session_;
  std::string_view head_;
  std::string_view tail_;
  StoreOp op_;
  uint32_t txId_;
  bool endsWithNul_;
};

/** Writes of one transaction (or of none), sent without waiting for each other; `co_await` waits for all. */
class StoreBatch : private StoreWaiter {
 public:
  StoreBatch(StoreSession& session, uint32_t txId) : session_(session), txId_(txId) { isOk = true; }

  void write(std::string_view path, std::string_view value);
  /** Commits. The last one of a batch. */
  void end();

  bool await_ready() const noexcept { return outstanding == 0; }
  void await_suspend(std::coroutine_handle<> caller) noexcept { waiting = caller; }
  /** False when any of them failed; the text is the last reply's. */
  StoreReply await_resume() const noexcept { return {isOk, text}; }

 private:
  StoreSession& session_;
  uint32_t txId_;
};

class StoreSession {
 public:
  StoreSession(StoreListener& listener, Statistics& statistics) : listener_(listener), statistics_(statistics) {}

  /** The ring and its port; they stay the guest's. */
  void attach(GuestMachine& machine, std::byte* page, uint32_t port);
  uint32_t port() const { return port_; }
  std::byte* ring() const { return page_; }

  StoreCall read(std::string_view path, uint32_t txId = 0) { return call(StoreOp::kRead, txId, path, {}, false); }
  StoreCall list(std::string_view path) { return call(StoreOp::kDirectory, 0, path, {}, false); }
  StoreCall listFrom(std::string_view path, std::string_view offset) {
    return call(StoreOp::kDirectoryPart, 0, path, offset, true);
  }
  StoreCall write(std::string_view path, std::string_view value, uint32_t txId = 0) {
    return call(StoreOp::kWrite, txId, path, value, false);
  }
  StoreCall remove(std::string_view path) { return call(StoreOp::kRemove, 0, path, {}, false); }
  StoreCall watch(std::string_view path, std::string_view token) {
    return call(StoreOp::kWatch, 0, path, token, true);
  }
  StoreCall unwatch(std::string_view path, std::string_view token) {
    return call(StoreOp::kUnwatch, 0, path, token, true);
  }
  StoreCall begin() { return call(StoreOp::kTransactionStart, 0, {}, {}, false); }
  StoreCall end(uint32_t txId, bool isCommit) {
    return call(StoreOp::kTransactionEnd, txId, isCommit ? "T" : "F", {}, false);
  }

  /**
   * Sends `head` NUL `tail`, and a NUL behind it if asked.
   * @param waiter gets the reply; nullptr: nobody waits, the reply is only checked
   */
  void send(StoreOp op, uint32_t txId, std::string_view head, std::string_view tail, bool endsWithNul,
            StoreWaiter* waiter);
  /** False: what is sent now waits in the guest's memory. */
  bool hasRoom() const { return overflow_.empty(); }
  size_t pending() const { return pending_.size(); }
  /** The last request without a reply got it. */
  Signal& replied() { return replied_; }

  // What to do when its port has fired.
  /** Goes on with what had no room. */
  void sendWaiting();
  /** Takes replies and events. */
  void receive();

  /** What the daemon sends is taken, taken and thrown away, or left in the ring. */
  enum class Reading : uint8_t { kAll, kDiscard, kNothing };
  void read(Reading reading) { reading_ = reading; }

  /** From now on each byte of a request goes alone, one for each `sendWaiting`. */
  void split() { isSplit_ = true; }
  /** It can go on, but nobody else will give it a turn: split, with room in the ring, or with more to receive. */
  bool wantsTurn() const;
  /** To be called at the end of the guest's turn: one notification for all that was done in it. */
  void notify();
  /** The guest ends, or is ended: nothing is sent or heard any more. */
  void close();

  /** From now on requests are kept until they are answered, for `renew`. */
  void outliveDaemon() { isKeeping_ = true; }
  /**
   * Another daemon, which knows nothing of this session, is about to read the ring, and does not yet: what the
   * last one has left in it, or taken half of, is none of its business.
   */
  void clearRing();
  /**
   * Asks the other daemon, after `clearRing`, whatever the last one has not answered. Not what belongs to a
   * transaction, which nobody knows any more: that fails with EAGAIN.
   */
  void renew();

 private:
  StoreCall call(StoreOp op, uint32_t txId, std::string_view head, std::string_view tail, bool endsWithNul) {
    return {*this, op, txId, head, tail, endsWithNul};
  }
  uint32_t put(const char* bytes, uint32_t size);
  void take(const char* bytes, size_t size);
  /** @returns bytes of the first message, 0 when it is not whole yet */
  size_t takeMessage(const char* bytes, size_t size);
  void takeReply(const StoreHeader& header, std::string_view payload);
  void takeWatchEvent(const StoreHeader& header, std::string_view payload);
  void breakOff(const std::string& sentence);
  /** Gives it its number, asks for the reply, and puts what has room into the ring. */
  void enqueue(char* message, uint32_t size, StoreWaiter* waiter);
  void resume(StoreWaiter& waiter);

  StoreListener& listener_;
  Statistics& statistics_;
  GuestMachine* machine_ = nullptr;
  std::byte* page_ = nullptr;
  uint32_t port_ = 0;
  uint32_t lastReqId_ = 0;
  /** Requests without a reply that count as lost. */
  uint32_t lost_ = 0;
  bool mustNotify_ = false;
  bool mustReceive_ = false;
  bool isKeeping_ = false;
  bool isClosed_ = false;
  bool isSplit_ = false;
  Reading reading_ = Reading::kAll;
  PendingRequests pending_;
  Signal replied_;
  std::string overflow_;
  std::string partial_;
};

}  // namespace xcl::sim
