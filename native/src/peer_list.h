// A doubly linked list of connections through the links in their Peers: each at most once, every
// operation in constant time. Peer 0 is no connection but the list's end.
#pragma once

#include <cassert>
#include <cstdint>
#include <vector>

namespace xcl {

struct PeerLinks {
  static constexpr uint32_t kOutside = UINT32_MAX;
  uint32_t previous = kOutside;
  uint32_t next = kOutside;
};

template <typename Peer, PeerLinks Peer::*kLinks>
class PeerList {
 public:
  /** @param peers has at least the element 0 */
  explicit PeerList(std::vector<Peer>& peers) : peers_(peers) { links(0) = PeerLinks{0, 0}; }

  bool isEmpty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  bool holds(uint32_t id) const { return (peers_[id].*kLinks).next != PeerLinks::kOutside; }
  /** @returns the first, 0 when there is none */
  uint32_t first() const { return (peers_[0].*kLinks).next; }
  /** @param id that the list holds  @returns the one after it, 0 after the last */
  uint32_t after(uint32_t id) const {
    assert(holds(id));
    return (peers_[id].*kLinks).next;
  }

  void pushBack(uint32_t id) { insertBefore(0, id); }
  void pushFront(uint32_t id) { insertBefore(first(), id); }

  void remove(uint32_t id) {
    if (!holds(id)) return;
    const PeerLinks gone = links(id);
    links(gone.previous).next = gone.next;
    links(gone.next).previous = gone.previous;
    links(id) = PeerLinks{};
    count_--;
  }

 private:
  PeerLinks& links(uint32_t id) { return peers_[id].*kLinks; }

  void insertBefore(uint32_t place, uint32_t id) {
    if (holds(id)) return;
    const uint32_t previous = links(place).previous;
    links(id) = PeerLinks{previous, place};
    links(previous).next = id;
    links(place).previous = id;
    count_++;
  }

  std::vector<Peer>& peers_;
  uint32_t count_ = 0;
};

}  // namespace xcl
