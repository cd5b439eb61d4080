#include "store_session.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "../../../src/shared_ring.h"

namespace xcl::sim {

namespace {

bool isOkOnly(uint32_t type) {
  switch (static_cast<StoreOp>(type)) {
    case StoreOp::kWrite:
    case StoreOp::kMkdir:
    case StoreOp::kRemove:
    case StoreOp::kWatch:
    case StoreOp::kUnwatch:
    case StoreOp::kTransactionEnd:
      return true;
    default:
      return false;
  }
}

/** Rings that are taken in one turn: a daemon that writes as fast as it is read does not hold up the machine. */
constexpr int kRoundsAtOnce = 8;

std::string number(uint32_t value) { return std::to_string(value); }

}  // namespace

void StoreCall::await_suspend(std::coroutine_handle<> caller) {
  waiting = caller;
  isOk = true;
  session_.send(op_, txId_, head_, tail_, endsWithNul_, this);
}

void StoreBatch::write(std::string_view path, std::string_view value) {
  session_.send(StoreOp::kWrite, txId_, path, value, false, this);
}

void StoreBatch::end() { session_.send(StoreOp::kTransactionEnd, txId_, "T", {}, false, this); }

void StoreSession::attach(GuestMachine& machine, std::byte* page, uint32_t port) {
  machine_ = &machine;
  page_ = page;
  port_ = port;
}

void StoreSession::send(StoreOp op, uint32_t txId, std::string_view head, std::string_view tail, bool endsWithNul,
                        StoreWaiter* waiter) {
  if (isClosed_ && !isKeeping_) return;
  char message[sizeof(StoreHeader) + kStorePayloadMax + 2];
  // A guest's kernel does not send what cannot be a message; the value is cut as its buffer would be.
  const size_t room = kStorePayloadMax - 1 - (endsWithNul ? 1 : 0);
  head = head.substr(0, room);
  tail = tail.substr(0, room - head.size());
  const size_t len = head.size() + 1 + tail.size() + (endsWithNul ? 1 : 0);
  const StoreHeader header{static_cast<uint32_t>(op), 0, txId, static_cast<uint32_t>(len)};
  char* to = message;
  std::memcpy(to, &header, sizeof header);
  to += sizeof header;
  if (!head.empty()) std::memcpy(to, head.data(), head.size());
  to += head.size();
  *to++ = 0;
  if (!tail.empty()) std::memcpy(to, tail.data(), tail.size());
  to += tail.size();
  if (endsWithNul) *to++ = 0;

  if (waiter != nullptr) waiter->outstanding++;
  enqueue(message, static_cast<uint32_t>(to - message), waiter);
}

void StoreSession::enqueue(char* message, uint32_t size, StoreWaiter* waiter) {
  StoreHeader header;
  std::memcpy(&header, message, sizeof header);
  header.reqId = ++lastReqId_;
  std::memcpy(message, &header, sizeof header);
  PendingRequest request{waiter, header.reqId, header.txId, header.type, nullptr};
  if (isKeeping_) {
    request.message = std::make_unique<char[]>(size);
    std::memcpy(request.message.get(), message, size);
  }
  pending_.push(std::move(request));
  statistics_.requests++;
  if (isClosed_) return;
  const uint32_t taken = overflow_.empty() && !isSplit_ ? put(message, size) : 0;
  overflow_.append(message + taken, size - taken);
}

uint32_t StoreSession::put(const char* bytes, uint32_t size) {
  RingWriter writer(page_, kXenstoreRequests);
  if (!writer.look()) {
    breakOff("impossible indices of the request ring");
    return size;
  }
  const uint32_t before = loadShared(page_, kXenstoreRequests.prod);
  const uint32_t taken = writer.put(bytes, size);
  if (taken == 0) return 0;
  writer.publish();
  // The daemon looks again after each piece that it took: only one that had taken all may sleep. A full
  // ring is told in any case, since this side will sleep.
  const uint32_t untaken = before - loadShared(page_, kXenstoreRequests.cons);
  if (untaken == 0 || untaken > kStoreRingBytes || taken < size) mustNotify_ = true;
  return taken;
}

void StoreSession::sendWaiting() {
  if (overflow_.empty() || isClosed_) return;
  const size_t most = isSplit_ ? 1 : kStoreRingBytes;
  overflow_.erase(0, put(overflow_.data(), static_cast<uint32_t>(std::min(overflow_.size(), most))));
  if (isSplit_) mustNotify_ = true;
  if (overflow_.empty()) std::string().swap(overflow_);
}

bool StoreSession::wantsTurn() const {
  if (isClosed_) return false;
  if (mustReceive_) return true;
  if (!isSplit_ || overflow_.empty()) return false;
  RingWriter writer(page_, kXenstoreRequests);
  return writer.look() && writer.room() > 0;
}

void StoreSession::receive() {
  // Who is resumed in here may end the session, or read no more.
  mustReceive_ = false;
  for (int round = 0; !isClosed_ && reading_ != Reading::kNothing; round++) {
    if (round == kRoundsAtOnce) {
      mustReceive_ = true;
      return;
    }
    RingReader reader(page_, kXenstoreReplies);
    if (!reader.look()) return breakOff("impossible indices of the reply ring");
    const uint32_t available = reader.available();
    if (available == 0) return;
    char bytes[kStoreRingBytes];
    reader.peek(0, bytes, available);
    const uint32_t before = loadShared(page_, kXenstoreReplies.cons);
    reader.consume(available);
    if (loadShared(page_, kXenstoreReplies.prod) - before >= kStoreRingBytes) mustNotify_ = true;
    if (reading_ == Reading::kAll) take(bytes, available);
  }
}

void StoreSession::take(const char* bytes, size_t size) {
  if (!partial_.empty()) {
    partial_.append(bytes, size);
    // Moved out first: who is resumed below must find the session in order.
    std::string whole;
    whole.swap(partial_);
    take(whole.data(), whole.size());
    return;
  }
  while (size > 0 && !isClosed_ && reading_ == Reading::kAll) {
    const size_t taken = takeMessage(bytes, size);
    if (taken == 0) {
      if (!isClosed_) partial_.assign(bytes, size);
      return;
    }
    bytes += taken;
    size -= taken;
  }
}

size_t StoreSession::takeMessage(const char* bytes, size_t size) {
  StoreHeader header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, bytes, sizeof header);
  if (header.len > kStorePayloadMax) {
    breakOff("a message of " + number(header.len) + " bytes");
    return 0;
  }
  if (size < sizeof header + header.len) return 0;
  const std::string_view payload(bytes + sizeof header, header.len);
  if (header.type == static_cast<uint32_t>(StoreOp::kWatchEvent)) {
    takeWatchEvent(header, payload);
  } else {
    takeReply(header, payload);
  }
  return sizeof header + header.len;
}

void StoreSession::takeWatchEvent(const StoreHeader& header, std::string_view payload) {
  const size_t pathEnd = payload.find('\0');
  const size_t tokenEnd = pathEnd == std::string_view::npos ? pathEnd : payload.find('\0', pathEnd + 1);
  if (header.reqId != 0 || header.txId != 0) return breakOff("an event with a req_id or a tx_id");
  if (tokenEnd == std::string_view::npos || tokenEnd + 1 != payload.size()) {
    return breakOff("an event that is not a path and a token");
  }
  listener_.onWatchEvent(payload.substr(0, pathEnd), payload.substr(pathEnd + 1, tokenEnd - pathEnd - 1));
}

void StoreSession::takeReply(const StoreHeader& header, std::string_view payload) {
  if (pending_.isEmpty()) return breakOff("a reply to req_id " + number(header.reqId) + ", which was not asked");
  const PendingRequest& request = pending_.front();
  const bool isError = header.type == static_cast<uint32_t>(StoreOp::kError);
  if (header.reqId != request.reqId || header.txId != request.txId) {
    return breakOff("a reply with req_id " + number(header.reqId) + " and tx_id " + number(header.txId) +
                    " where " + number(request.reqId) + " and " + number(request.txId) + " were next");
  }
  if (!isError && header.type != request.type) {
    return breakOff("a reply of type " + number(header.type) + " to a request of type " + number(request.type));
  }
  if (isError && (payload.size() < 2 || payload.find('\0') != payload.size() - 1)) {
    return breakOff("an error without a name");
  }
  if (!isError && isOkOnly(header.type) && payload != std::string_view("OK", 3)) {
    return breakOff("a reply of type " + number(header.type) + " that does not say OK");
  }
  statistics_.replies++;
  StoreWaiter* const waiter = pending_.pop().waiter;
  if (waiter != nullptr) {
    waiter->outstanding--;
    waiter->text = payload;
    if (isError) waiter->isOk = false;
    resume(*waiter);
  }
  if (pending_.isEmpty()) replied_.raise();
}

void StoreSession::resume(StoreWaiter& waiter) {
  if (waiter.outstanding == 0 && waiter.waiting) waiter.waiting.resume();
}

void StoreSession::notify() {
  if (!mustNotify_ || isClosed_) return;
  mustNotify_ = false;
  machine_->notify(port_);
}

void StoreSession::close() {
  if (isClosed_ && !isKeeping_) return;
  isClosed_ = true;
  statistics_.abandoned += pending_.size() - lost_;
  lost_ = 0;
  pending_.clear();
}

void StoreSession::breakOff(const std::string& sentence) {
  if (isClosed_) return;
  isClosed_ = true;
  statistics_.lost += pending_.size();
  if (isKeeping_) {
    lost_ = static_cast<uint32_t>(pending_.size());
  } else {
    pending_.clear();
  }
  listener_.onBroken("XenStore sent " + sentence);
}

void StoreSession::clearRing() {
  // Its own two indices, as a kernel that gives up: the requests that nobody took, and the replies it did not read.
  storeShared(page_, kXenstoreRequests.prod, loadShared(page_, kXenstoreRequests.cons));
  storeShared(page_, kXenstoreReplies.cons, loadShared(page_, kXenstoreReplies.prod));
}

void StoreSession::renew() {
  statistics_.abandoned += pending_.size() - lost_;
  lost_ = 0;
  overflow_.clear();
  partial_.clear();
  mustNotify_ = mustReceive_ = isClosed_ = false;
  std::vector<StoreWaiter*> failed;
  for (size_t left = pending_.size(); left > 0; left--) {
    const PendingRequest request = pending_.pop();
    StoreHeader header;
    std::memcpy(&header, request.message.get(), sizeof header);
    if (header.txId == 0) {
      enqueue(request.message.get(), sizeof header + header.len, request.waiter);
    } else if (StoreWaiter* const waiter = request.waiter) {
      waiter->outstanding--;
      waiter->isOk = false;
      waiter->text = "EAGAIN";
      if (waiter->outstanding == 0) failed.push_back(waiter);
    }
  }
  // Now, since each goes on to ask something.
  for (StoreWaiter* const waiter : failed) resume(*waiter);
}

}  // namespace xcl::sim
