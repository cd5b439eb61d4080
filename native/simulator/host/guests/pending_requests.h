// Requests without a reply yet, first in first out.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace xcl::sim {

/** A coroutine that waits for one reply or several; lies in its frame. */
struct StoreWaiter {
  std::coroutine_handle<> waiting;
  std::string_view text;
  uint32_t outstanding = 0;
  bool isOk = false;
};

struct PendingRequest {
  StoreWaiter* waiter = nullptr;
  uint32_t reqId = 0;
  uint32_t txId = 0;
  uint32_t type = 0;
  /** Header and payload, of a session that outlives its daemon. */
  std::unique_ptr<char[]> message;
};

/** A circle that grows; a guest that waits for each reply needs four places. */
class PendingRequests {
 public:
  size_t size() const { return end_ - begin_; }
  bool isEmpty() const { return begin_ == end_; }

  void push(PendingRequest&& request) {
    if (size() == capacity_) grow();
    slots_[end_++ & (capacity_ - 1)] = std::move(request);
  }
  const PendingRequest& front() const { return slots_[begin_ & (capacity_ - 1)]; }
  PendingRequest pop() { return std::move(slots_[begin_++ & (capacity_ - 1)]); }
  void clear() {
    while (!isEmpty()) pop();
  }

 private:
  void grow() {
    const uint32_t capacity = capacity_ == 0 ? 4 : capacity_ * 2;
    auto slots = std::make_unique<PendingRequest[]>(capacity);
    uint32_t count = 0;
    for (uint32_t at = begin_; at != end_; at++) slots[count++] = std::move(slots_[at & (capacity_ - 1)]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    begin_ = 0;
    end_ = count;
  }

  std::unique_ptr<PendingRequest[]> slots_;
  uint32_t capacity_ = 0;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

}  // namespace xcl::sim
