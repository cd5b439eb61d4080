#include "rings.h"

#include <array>
#include <charconv>
#include <span>

#include "../../../native/src/shared_ring.h"
#include "answers.h"

namespace xcl::peers {

namespace {

constexpr size_t kPortsAtOnce = 1024;

/** The number that a string of the payload is; goes on to the next string. */
uint64_t takeNumber(std::string_view& payload) {
  uint64_t number = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), number);
  payload.remove_prefix(std::min(payload.find('\0') + 1, payload.size()));
  return number;
}

}  // namespace

void Rings::serve() {
  std::array<uint32_t, kPortsAtOnce> ports{};
  const size_t count = machine_.readPending(ports);
  for (size_t i = 0; i < count; i++) {
    if (ports[i] < rings_.size() && rings_[ports[i]] != nullptr) answer(ports[i], *rings_[ports[i]]);
  }
  machine_.unmask(std::span(ports).first(count));
}

void Rings::answer(uint32_t port, Ring& ring) {
  std::byte* const page = ring.page->data();
  RingReader requests(page, kXenstoreRequests);
  RingWriter replies(page, kXenstoreReplies);
  if (!requests.look() || !replies.look()) return;
  const uint32_t bytes = requests.available();
  if (bytes > 0) {
    const size_t kept = ring.in.size();
    ring.in.resize(kept + bytes);
    requests.peek(0, ring.in.data() + kept, bytes);
    requests.consume(bytes);
    size_t at = 0;
    Question question{};
    while (const size_t taken = takeQuestion(std::string_view(ring.in).substr(at), question)) {
      at += taken;
      appendAnswer(ring.out, question);
    }
    ring.in.erase(0, at);
  }
  const uint32_t put = replies.put(ring.out.data(), static_cast<uint32_t>(ring.out.size()));
  ring.out.erase(0, put);
  if (put > 0) replies.publish();
  if (bytes > 0 || put > 0) machine_.notify(port);
}

void Rings::introduce(std::string_view payload) {
  const auto domid = static_cast<uint32_t>(takeNumber(payload));
  const uint64_t gfn = takeNumber(payload);
  const auto remotePort = static_cast<uint32_t>(takeNumber(payload));
  auto ring = std::make_unique<Ring>();
  ring->page = machine_.mapFrame(domid, gfn);
  const uint32_t port = machine_.bind(domid, remotePort);
  if (port >= rings_.size()) rings_.resize(port + 1);
  rings_[port] = std::move(ring);
  ports_[domid] = port;
}

void Rings::release(std::string_view payload) {
  const auto found = ports_.find(static_cast<uint32_t>(takeNumber(payload)));
  if (found == ports_.end()) return;
  machine_.unbind(found->second);
  rings_[found->second] = nullptr;
  ports_.erase(found);
}

}  // namespace xcl::peers
