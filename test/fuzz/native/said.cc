#include "said.h"

#include <algorithm>
#include <cstring>

#include "violation.h"

namespace fuzz {

Bytes patternOf(uint32_t seed, uint32_t count) {
  Bytes bytes(count);
  uint32_t state = seed * 2654435761U + 1;
  for (std::byte& one : bytes) {
    state = state * 1664525U + 1013904223U;
    one = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

Bytes wireOf(const xcl::WireHeader& header, std::span<const std::byte> payload) {
  Bytes wire(xcl::kWireHeaderBytes + payload.size());
  std::memcpy(wire.data(), &header, sizeof(header));
  std::ranges::copy(payload, wire.begin() + xcl::kWireHeaderBytes);
  return wire;
}

void Said::request(const xcl::WireHeader& header) {
  Bytes wire = wireOf(header, patternOf(header.reqId, header.len));
  stream_.insert(stream_.end(), wire.begin(), wire.end());
  if (isOverlong_) return;
  // No guest may forge what native code itself reports.
  if (header.type > INT32_MAX) {
    const uint32_t positive = INT32_MAX;
    std::memcpy(wire.data(), &positive, sizeof(positive));
  }
  expected_.push_back(Expected{std::move(wire), stream_.size()});
}

void Said::overlong(const xcl::WireHeader& header) {
  const Bytes wire = wireOf(header, patternOf(header.reqId, 24));
  if (!isOverlong_) overlongEnd_ = stream_.size() + xcl::kWireHeaderBytes;
  isOverlong_ = true;
  stream_.insert(stream_.end(), wire.begin(), wire.end());
}

void Said::plain(std::span<const std::byte> bytes) {
  isPlain_ = true;
  stream_.insert(stream_.end(), bytes.begin(), bytes.end());
}

void Said::checkRequest(std::span<const std::byte> wire) {
  require(!expected_.empty(), "a message came that nobody has sent");
  const Expected& next = expected_.front();
  require(next.end <= sent_, "a message came before its last byte was sent");
  require(std::ranges::equal(wire, next.wire), "a message came changed, twice or out of order");
  expected_.pop_front();
}

void Said::checkPlain(std::span<const std::byte> bytes) {
  require(delivered_ + bytes.size() <= sent_, "more bytes came than were sent");
  require(std::ranges::equal(bytes, std::span(stream_).subspan(delivered_, bytes.size())),
          "bytes came changed, twice or out of order");
  delivered_ += bytes.size();
}

bool Said::isDelivered() const {
  if (isPlain_) return delivered_ == sent_;
  return expected_.empty() || expected_.front().end > sent_;
}

}  // namespace fuzz
