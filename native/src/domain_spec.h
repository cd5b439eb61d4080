// What TypeScript says of a domain that is to be, and what it is told of one that is: the values of
// native/hypervisor.ts that both machines share.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <string>

namespace xcl {

using Uuid = std::array<uint8_t, 16>;

struct DomainSpec {
  bool isPvh = false;
  Uuid uuid{};
  uint32_t vcpus = 0;
  uint64_t memoryKiB = 0;
  uint64_t maxMemoryKiB = 0;
  uint32_t maxEvtchnPort = 0;
  /** -1: Xen's default. */
  int32_t maxGrantFrames = 0;
  int32_t maxMaptrackFrames = 0;
};

struct DomainPorts {
  uint32_t store = 0;
  uint32_t console = 0;
};

struct ImageSpec {
  std::string kernel;
  /** Empty: none. */
  std::string ramdisk;
  std::string cmdline;
};

struct BuiltImage {
  uint64_t storeGfn = 0;
  uint64_t consoleGfn = 0;
};

/** `NativeDomainInfo` of native/addon.ts. */
struct DomainInfo {
  uint32_t domid = 0;
  Uuid uuid{};
  bool isDying = false;
  bool isShutdown = false;
  uint32_t shutdownCode = 0;
  bool isPaused = false;
  bool isBlocked = false;
  bool isRunning = false;
  bool isHvm = false;
  uint64_t memoryKiB = 0;
  uint64_t outstandingKiB = 0;
  uint64_t maxMemoryKiB = 0;
  uint32_t vcpus = 0;
  uint64_t cpuTimeNs = 0;
  uint32_t cpupool = 0;
  /** It is no more; only of domains that changed. */
  bool isGone = false;
};

/** @throws Failure EINVAL when the uuid is none */
DomainSpec domainSpecFrom(const Napi::Value& value);
DomainPorts domainPortsFrom(const Napi::Value& value);
ImageSpec imageSpecFrom(const Napi::Value& value);

Napi::Value toJs(Napi::Env env, const DomainPorts& ports);
Napi::Value toJs(Napi::Env env, const BuiltImage& built);
Napi::Value toJs(Napi::Env env, const DomainInfo& info);
/** DOMAIN_DYING, DOMAIN_SHUTDOWN, DOMAIN_GONE and the reason above them, as in native/hypervisor.ts. */
int32_t stateOf(const DomainInfo& info);

}  // namespace xcl
