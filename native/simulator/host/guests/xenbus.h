// What front ends and back ends have in common (xen/include/public/io/xenbus.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace xcl::sim {

enum class DeviceKind : uint8_t { kVif = 0, kVbd = 1 };

inline std::string_view nameOf(DeviceKind kind) { return kind == DeviceKind::kVif ? "vif" : "vbd"; }

enum class XenbusState : uint32_t {
  kUnknown = 0,
  kInitialising = 1,
  kInitWait = 2,
  kInitialised = 3,
  kConnected = 4,
  kClosing = 5,
  kClosed = 6,
};

}  // namespace xcl::sim
