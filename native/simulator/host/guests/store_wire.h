// XenStore's messages (xen/include/public/io/xs_wire.h).
#pragma once

#include <cstdint>

namespace xcl::sim {

enum class StoreOp : uint32_t {
  kDirectory = 1,
  kRead = 2,
  kWatch = 4,
  kUnwatch = 5,
  kTransactionStart = 6,
  kTransactionEnd = 7,
  kWrite = 11,
  kMkdir = 12,
  kRemove = 13,
  kWatchEvent = 15,
  kError = 16,
  kDirectoryPart = 22,
};

struct StoreHeader {
  uint32_t type = 0;
  uint32_t reqId = 0;
  uint32_t txId = 0;
  uint32_t len = 0;
};
static_assert(sizeof(StoreHeader) == 16);

inline constexpr uint32_t kStorePayloadMax = 4096;
inline constexpr uint32_t kStoreRingBytes = 1024;

}  // namespace xcl::sim
