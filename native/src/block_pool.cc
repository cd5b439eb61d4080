#include "block_pool.h"

#include <algorithm>
#include <cstring>

namespace xcl {

BlockPool::BlockPool(std::span<std::byte> memory)
    : blocks_(reinterpret_cast<Block*>(memory.data()), memory.size() / sizeof(Block)) {
  head() = Head{0, 1, 0};
}

uint32_t BlockPool::take() {
  Head& pool = head();
  uint32_t index = pool.free;
  if (index != 0) {
    pool.free = blocks_[index].next;
  } else if (pool.fresh < blocks_.size()) {
    index = pool.fresh++;
  } else {
    return 0;
  }
  pool.used++;
  blocks_[index].next = 0;
  return index;
}

void BlockPool::give(uint32_t index) {
  Head& pool = head();
  blocks_[index].next = pool.free;
  pool.free = index;
  pool.used--;
}

void BlockPool::giveChain(uint32_t index) {
  while (index != 0) {
    const uint32_t next = blocks_[index].next;
    give(index);
    index = next;
  }
}

bool BlockPool::append(InputChain& chain, const void* from, uint32_t bytes) {
  const uint32_t end = chain.headOffset + chain.bytes;
  const uint32_t room = chain.head == 0 ? 0 : (Block::kBytes - end % Block::kBytes) % Block::kBytes;
  uint32_t missing = bytes > room ? (bytes - room + Block::kBytes - 1) / Block::kBytes : 0;
  uint32_t added = 0;
  uint32_t last = 0;
  for (; missing > 0; missing--) {
    const uint32_t index = take();
    if (index == 0) {
      giveChain(added);
      return false;
    }
    if (added == 0) added = index;
    if (last != 0) blocks_[last].next = index;
    last = index;
  }
  const auto* source = static_cast<const std::byte*>(from);
  const uint32_t first = std::min(bytes, room);
  if (first > 0) {
    std::memcpy(blocks_[chain.tail].data + Block::kBytes - room, source, first);
  }
  uint32_t done = first;
  for (uint32_t index = added; done < bytes; index = blocks_[index].next) {
    const uint32_t part = std::min(bytes - done, Block::kBytes);
    std::memcpy(blocks_[index].data, source + done, part);
    done += part;
  }
  if (added != 0) {
    if (chain.head == 0) {
      chain.head = added;
      chain.headOffset = 0;
    } else {
      blocks_[chain.tail].next = added;
    }
    chain.tail = last;
  }
  chain.bytes += bytes;
  return true;
}

void BlockPool::peek(const InputChain& chain, void* into, uint32_t bytes) const {
  auto* target = static_cast<std::byte*>(into);
  uint32_t offset = chain.headOffset;
  for (uint32_t index = chain.head; bytes > 0; index = blocks_[index].next) {
    const uint32_t part = std::min(bytes, Block::kBytes - offset);
    std::memcpy(target, blocks_[index].data + offset, part);
    target += part;
    bytes -= part;
    offset = 0;
  }
}

void BlockPool::takeFront(InputChain& chain, void* into, uint32_t bytes) {
  if (into != nullptr) peek(chain, into, bytes);
  chain.bytes -= bytes;
  chain.headOffset += bytes;
  while (chain.headOffset >= Block::kBytes && chain.head != 0) {
    const uint32_t next = blocks_[chain.head].next;
    give(chain.head);
    chain.head = next;
    chain.headOffset -= Block::kBytes;
  }
  if (chain.bytes == 0) clear(chain);
}

void BlockPool::clear(InputChain& chain) {
  giveChain(chain.head);
  chain = InputChain{};
}

}  // namespace xcl
