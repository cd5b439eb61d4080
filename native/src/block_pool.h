// Blocks of 256 bytes in the state memory, addressed by index. Block 0 holds the pool's own words, so
// index 0 means "none". Blocks never used are never touched: they cost no memory.
//
//   word 0  next block of the same chain, or of the free list
//   word 1  free for the owner
//   bytes   248
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "connection_record.h"

namespace xcl {

struct Block {
  static constexpr uint32_t kBytes = 248;
  uint32_t next;
  uint32_t word;
  std::byte data[kBytes];
};
static_assert(sizeof(Block) == 256);

class BlockPool {
 public:
  /** Begins empty, whatever the memory held before. */
  explicit BlockPool(std::span<std::byte> memory);

  Block& at(uint32_t index) { return blocks_[index]; }
  const Block& at(uint32_t index) const { return blocks_[index]; }
  /** @returns an index, 0 when the pool is exhausted; `next` is 0, the rest undefined */
  uint32_t take();
  void give(uint32_t index);
  /** Gives a whole chain back. */
  void giveChain(uint32_t head);
  /** True while less than a quarter of all blocks is free. */
  bool isScarce() const { return free() < total() / 4; }
  /** True while clearly more than a quarter is free: who waited for blocks may go on. */
  bool isAmple() const { return free() >= total() / 4 + total() / 16; }

  /** Adds to the end of a chain. @returns false, with nothing added, when the pool is exhausted */
  bool append(InputChain& chain, const void* from, uint32_t bytes);
  /** Copies from the front without taking; the chain holds at least `bytes`. */
  void peek(const InputChain& chain, void* into, uint32_t bytes) const;
  /** Takes from the front; `into` may be null to drop. */
  void takeFront(InputChain& chain, void* into, uint32_t bytes);
  void clear(InputChain& chain);

 private:
  uint32_t total() const { return static_cast<uint32_t>(blocks_.size()) - 1; }
  uint32_t free() const { return total() - head().used; }

  struct Head {
    uint32_t free;
    /** Blocks from here on were never used. */
    uint32_t fresh;
    uint32_t used;
  };
  Head& head() { return *reinterpret_cast<Head*>(blocks_.data()); }
  const Head& head() const { return *reinterpret_cast<const Head*>(blocks_.data()); }

  std::span<Block> blocks_;
};

}  // namespace xcl
