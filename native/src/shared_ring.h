// One direction of a ring in a shared page: free-running u32 indices, position = index modulo size.
//
// The other side may change anything at any moment. So both indices are read once, checked, and the
// copies are used from then on (reference: xen/include/public/io/xs_wire.h and io/console.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace xcl {

/** Where the data and the indices of one direction lie, as byte offsets into the page. */
struct RingLayout {
  uint32_t data;
  uint32_t size;
  uint32_t cons;
  uint32_t prod;
};

inline constexpr RingLayout kXenstoreRequests{0, 1024, 2048, 2052};
inline constexpr RingLayout kXenstoreReplies{1024, 1024, 2056, 2060};
inline constexpr RingLayout kConsoleInput{0, 1024, 3072, 3076};
inline constexpr RingLayout kConsoleOutput{1024, 2048, 3080, 3084};

inline constexpr uint32_t kXenstoreFeatures = 2064;
inline constexpr uint32_t kXenstoreConnection = 2068;
inline constexpr uint32_t kXenstoreError = 2072;
/** Not 0: the guest's port, whatever the toolstack says (Xen itself fills it in, from 4.21 on). */
inline constexpr uint32_t kXenstorePort = 2076;
inline constexpr uint32_t kConsoleConnection = 3088;

/** Stores a word that the other side reads. */
void storeShared(std::byte* page, uint32_t offset, uint32_t value);
/** Loads a word that the other side writes. */
uint32_t loadShared(std::byte* page, uint32_t offset);
/** What was stored before is seen by whoever does not see what is loaded after it. */
void settleShared();

/** Takes bytes out of a direction whose producer is the other side. */
class RingReader {
 public:
  RingReader(std::byte* page, const RingLayout& layout) : page_(page), layout_(layout) {}

  /** Reads the indices. @returns false when they are impossible: the other side broke the ring */
  bool look();
  uint32_t available() const { return available_; }
  /** Index of the first byte that is available. */
  uint32_t index() const { return cons_; }
  /** Copies without consuming, from `offset` bytes past the consumer index. */
  void peek(uint32_t offset, void* into, uint32_t bytes) const;
  /**
   * Gives `bytes` back to the producer. Ends with a full barrier, so that a `look` after it sees what
   * a producer wrote who, not having seen the new index yet, saw no need to notify.
   */
  void consume(uint32_t bytes);

 private:
  std::byte* page_;
  RingLayout layout_;
  uint32_t cons_ = 0;
  uint32_t available_ = 0;
};

/** Puts bytes into a direction whose consumer is the other side. */
class RingWriter {
 public:
  RingWriter(std::byte* page, const RingLayout& layout) : page_(page), layout_(layout) {}

  /** Reads the indices. @returns false when they are impossible */
  bool look();
  uint32_t room() const { return room_; }
  /** Copies at most `bytes`, not yet visible to the other side. @returns bytes taken */
  uint32_t put(const void* from, uint32_t bytes);
  /** Makes what was put visible; full barrier as in RingReader::consume. */
  void publish();

 private:
  std::byte* page_;
  RingLayout layout_;
  uint32_t prod_ = 0;
  uint32_t room_ = 0;
};

}  // namespace xcl
