// Wraps one connection to a store daemon's socket: messages out, messages in. Closes it when it goes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "deadline.h"
#include "wire.h"

namespace xcl::peers {

/** What has come; `payload` holds until the next message is asked for. */
struct Message {
  Op op{};
  uint32_t txId = 0;
  std::string_view payload;

  bool isError() const { return op == Op::kError; }
  bool isEvent() const { return op == Op::kWatchEvent; }
  /** Up to its first NUL. */
  std::string_view text() const { return payload.substr(0, payload.find('\0')); }
};

class Connection {
 public:
  /** @throws Failed when nobody takes the connection */
  explicit Connection(const std::string& socketPath);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  int fd() const { return fd_; }
  /** Requests without an answer. */
  size_t underWay() const { return asked_.size(); }

  /** Kept until `flush`. */
  void put(Op op, uint32_t txId, std::string_view payload);
  /** Everything that was put, in as few writes as the socket takes; waits as long as it must. */
  void flush(const Deadline& limit);

  /**
   * The next message, of which the whole is there already; `fill` gets more.
   * @returns false when there is none
   */
  bool take(Message& message);
  /**
   * Reads what there is. @returns false when there was nothing
   * @throws Failed when the daemon has closed the connection
   */
  bool fill();
  /** Waits for bytes and reads them. @throws TooSlow, Failed as `fill` */
  void await(const Deadline& limit);

  /** The next answer, also an error; events on the way are counted and passed over. @throws TooSlow */
  Message next(const Deadline& limit);
  /** The same. @throws Failed for an error */
  Message answer(const Deadline& limit);
  /** One request and its answer. */
  Message call(Op op, uint32_t txId, std::string_view payload, const Deadline& limit);
  /** The same, and an error is an answer like others. */
  Message ask(Op op, uint32_t txId, std::string_view payload, const Deadline& limit);
  /** Waits until nothing is under way. @throws as answer */
  void drain(const Deadline& limit);

  uint64_t events() const { return events_; }

  /** @throws Failed that names the request this answers */
  void check(const Message& message) const;

 private:
  bool receive(int flags);

  int fd_;
  std::string out_;
  /** Made when there is something to read: idle connections need none. */
  std::unique_ptr<char[]> in_;
  size_t inBegin_ = 0;
  size_t inEnd_ = 0;
  /** What was asked, in the order in which answers come. */
  std::deque<Op> asked_;
  Op answered_{};
  uint64_t events_ = 0;
};

}  // namespace xcl::peers
