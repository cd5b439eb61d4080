#include "heard.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "output_queue.h"
#include "violation.h"

namespace fuzz {

namespace {

bool isSame(const Bytes& left, const Bytes& right) {
  return left.size() == right.size() && std::equal(left.begin(), left.begin() + 4, right.begin()) &&
         std::equal(left.begin() + xcl::kWireHeaderBytes, left.end(), right.begin() + xcl::kWireHeaderBytes);
}

}  // namespace

void Heard::handedOver(uint32_t serial, Bytes wire, uint32_t flags) {
  due_.push_back(Due{serial, std::move(wire), flags, false});
}

void Heard::handedOverPlain(std::span<const std::byte> bytes) { plain_.insert(plain_.end(), bytes.begin(), bytes.end()); }

void Heard::allowDrop(uint32_t serial) {
  for (Due& due : due_) {
    if (due.serial == serial) due.mayDrop = true;
  }
}

void Heard::allowDropOfEvents() {
  for (Due& due : due_) {
    if ((due.flags & xcl::kOutputEvent) != 0) due.mayDrop = true;
  }
}

bool Heard::hasSameBefore(uint32_t serial) const {
  const auto place = std::ranges::find(due_, serial, &Due::serial);
  if (place == due_.end()) return false;
  return std::any_of(due_.begin(), place, [&](const Due& earlier) {
    return (earlier.flags & xcl::kOutputCoalesce) != 0 && isSame(earlier.wire, place->wire);
  });
}

void Heard::received(std::span<const std::byte> bytes) {
  if (!plain_.empty()) {
    require(bytes.size() <= plain_.size() && std::equal(bytes.begin(), bytes.end(), plain_.begin()),
            "a console's input came changed, twice or out of order");
    plain_.erase(plain_.begin(), plain_.begin() + static_cast<std::ptrdiff_t>(bytes.size()));
    return;
  }
  received_.insert(received_.end(), bytes.begin(), bytes.end());
  takeMessages();
}

void Heard::takeMessages() {
  while (received_.size() >= xcl::kWireHeaderBytes) {
    xcl::WireHeader header;
    std::memcpy(&header, received_.data(), sizeof(header));
    const auto found = std::ranges::find(due_, header.reqId, &Due::serial);
    require(found != due_.end(), "a reply or event came that is not due: twice, out of order or not framed");
    require(received_.size() >= found->wire.size() || header.len + xcl::kWireHeaderBytes == found->wire.size(),
            "a reply or event came with another length");
    if (received_.size() < found->wire.size()) return;
    require(std::equal(found->wire.begin(), found->wire.end(), received_.begin()), "a reply or event came changed");
    for (auto skipped = due_.begin(); skipped != found; ++skipped) {
      require(skipped->mayDrop, "a reply or event is missing (" + std::to_string(skipped->serial) + ")");
    }
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(found->wire.size()));
    due_.erase(due_.begin(), found + 1);
  }
}

void Heard::checkNothingIsMissing() const {
  require(received_.empty(), "a reply or event has come in part only");
  require(plain_.empty(), "bytes for a console are missing");
  for (const Due& due : due_) require(due.mayDrop, "a reply or event is missing at the end");
}

}  // namespace fuzz
