#include "shared_ring.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace xcl {

namespace {

std::atomic_ref<uint32_t> shared(std::byte* page, uint32_t offset) {
  return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(page + offset));
}

}  // namespace

void storeShared(std::byte* page, uint32_t offset, uint32_t value) {
  shared(page, offset).store(value, std::memory_order_release);
}

uint32_t loadShared(std::byte* page, uint32_t offset) { return shared(page, offset).load(std::memory_order_acquire); }

void settleShared() { std::atomic_thread_fence(std::memory_order_seq_cst); }

bool RingReader::look() {
  cons_ = shared(page_, layout_.cons).load(std::memory_order_relaxed);
  const uint32_t prod = shared(page_, layout_.prod).load(std::memory_order_acquire);
  available_ = prod - cons_;
  return available_ <= layout_.size;
}

void RingReader::peek(uint32_t offset, void* into, uint32_t bytes) const {
  const uint32_t at = (cons_ + offset) & (layout_.size - 1);
  const uint32_t first = std::min(bytes, layout_.size - at);
  std::memcpy(into, page_ + layout_.data + at, first);
  std::memcpy(static_cast<std::byte*>(into) + first, page_ + layout_.data, bytes - first);
}

void RingReader::consume(uint32_t bytes) {
  cons_ += bytes;
  available_ -= bytes;
  shared(page_, layout_.cons).store(cons_, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool RingWriter::look() {
  const uint32_t cons = shared(page_, layout_.cons).load(std::memory_order_acquire);
  prod_ = shared(page_, layout_.prod).load(std::memory_order_relaxed);
  const uint32_t used = prod_ - cons;
  room_ = used <= layout_.size ? layout_.size - used : 0;
  return used <= layout_.size;
}

uint32_t RingWriter::put(const void* from, uint32_t bytes) {
  const uint32_t taken = std::min(bytes, room_);
  const uint32_t at = prod_ & (layout_.size - 1);
  const uint32_t first = std::min(taken, layout_.size - at);
  std::memcpy(page_ + layout_.data + at, from, first);
  std::memcpy(page_ + layout_.data, static_cast<const std::byte*>(from) + first, taken - first);
  prod_ += taken;
  room_ -= taken;
  return taken;
}

void RingWriter::publish() {
  shared(page_, layout_.prod).store(prod_, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace xcl
