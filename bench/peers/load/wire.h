// XenStore's messages as the load writes and reads them (xen/include/public/io/xs_wire.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace xcl::peers {

enum class Op : uint32_t {
  kDirectory = 1,
  kRead = 2,
  kWatch = 4,
  kUnwatch = 5,
  kTransactionStart = 6,
  kTransactionEnd = 7,
  kIntroduce = 8,
  kRelease = 9,
  kWrite = 11,
  kMkdir = 12,
  kRemove = 13,
  kSetPerms = 14,
  kWatchEvent = 15,
  kError = 16,
  kDirectoryPart = 22,
};

struct Header {
  uint32_t type;
  uint32_t reqId;
  uint32_t txId;
  uint32_t bytes;
};

/** Of a payload; a daemon that says more has lost the thread. */
inline constexpr uint32_t kMaxPayload = 4096;

/** For sentences: `WRITE`. */
const char* nameOf(Op op);

inline void append(std::string& out, Op op, uint32_t txId, std::string_view payload) {
  const Header head{static_cast<uint32_t>(op), 0, txId, static_cast<uint32_t>(payload.size())};
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  out.append(payload);
}

/** `one` NUL `two`; a NUL behind it only where the operation has one. */
inline std::string pair(std::string_view one, std::string_view two, bool endsWithNul) {
  std::string payload(one);
  payload.push_back('\0');
  payload.append(two);
  if (endsWithNul) payload.push_back('\0');
  return payload;
}

inline std::string path(std::string_view text) { return pair(text, {}, false); }

}  // namespace xcl::peers
