#include "domain_spec.h"

#include <cerrno>

#include "c_text.h"
#include "errors.h"

namespace xcl {

namespace {

constexpr uint32_t kDying = 1;
constexpr uint32_t kShutdown = 2;
constexpr uint32_t kGone = 4;
constexpr uint32_t kReasonShift = 8;

double numberOf(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().DoubleValue();
}

// The uuid was checked by its owner: 32 hexadecimal digits with dashes between them.
Uuid uuidFrom(const std::string& text) {
  Uuid bytes{};
  size_t digits = 0;
  for (const char c : text) {
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) continue;
    if (digits == 2 * bytes.size()) throw Failure("domain_create", EINVAL, "no uuid: " + text);
    bytes[digits / 2] = static_cast<uint8_t>(bytes[digits / 2] << 4 | value);
    digits++;
  }
  if (digits != 2 * bytes.size()) throw Failure("domain_create", EINVAL, "no uuid: " + text);
  return bytes;
}

std::string uuidText(const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < uuid.size(); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4];
    text += kDigits[uuid[i] & 15];
  }
  return text;
}

}  // namespace

DomainSpec domainSpecFrom(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  DomainSpec spec;
  spec.isPvh = object.Get("type").As<Napi::String>().Utf8Value() == "pvh";
  spec.uuid = uuidFrom(object.Get("uuid").As<Napi::String>());
  spec.vcpus = static_cast<uint32_t>(numberOf(object, "vcpus"));
  spec.memoryKiB = static_cast<uint64_t>(numberOf(object, "memoryKiB"));
  spec.maxMemoryKiB = static_cast<uint64_t>(numberOf(object, "maxMemoryKiB"));
  spec.maxEvtchnPort = static_cast<uint32_t>(numberOf(object, "maxEvtchnPort"));
  spec.maxGrantFrames = static_cast<int32_t>(numberOf(object, "maxGrantFrames"));
  spec.maxMaptrackFrames = static_cast<int32_t>(numberOf(object, "maxMaptrackFrames"));
  return spec;
}

DomainPorts domainPortsFrom(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  return {static_cast<uint32_t>(numberOf(object, "storePort")), static_cast<uint32_t>(numberOf(object, "consolePort"))};
}

ImageSpec imageSpecFrom(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  ImageSpec image;
  image.kernel = cTextFrom(object.Get("kernel"), "dom_kernel_file", "the kernel's path");
  image.cmdline = cTextFrom(object.Get("cmdline"), "dom_allocate", "the command line");
  const Napi::Value ramdisk = object.Get("ramdisk");
  if (ramdisk.IsString()) image.ramdisk = cTextFrom(ramdisk, "dom_module_file", "the ramdisk's path");
  return image;
}

Napi::Value toJs(Napi::Env env, const DomainPorts& ports) {
  auto made = Napi::Object::New(env);
  made.Set("storePort", static_cast<double>(ports.store));
  made.Set("consolePort", static_cast<double>(ports.console));
  return made;
}

Napi::Value toJs(Napi::Env env, const BuiltImage& built) {
  auto made = Napi::Object::New(env);
  made.Set("storeGfn", static_cast<double>(built.storeGfn));
  made.Set("consoleGfn", static_cast<double>(built.consoleGfn));
  return made;
}

Napi::Value toJs(Napi::Env env, const DomainInfo& info) {
  auto made = Napi::Object::New(env);
  made.Set("domid", static_cast<double>(info.domid));
  made.Set("uuid", uuidText(info.uuid));
  made.Set("isDying", info.isDying);
  made.Set("isShutdown", info.isShutdown);
  made.Set("shutdownCode", static_cast<double>(info.shutdownCode));
  made.Set("isPaused", info.isPaused);
  made.Set("isBlocked", info.isBlocked);
  made.Set("isRunning", info.isRunning);
  made.Set("isHvm", info.isHvm);
  made.Set("memoryKiB", static_cast<double>(info.memoryKiB));
  made.Set("outstandingKiB", static_cast<double>(info.outstandingKiB));
  made.Set("maxMemoryKiB", static_cast<double>(info.maxMemoryKiB));
  made.Set("vcpus", static_cast<double>(info.vcpus));
  made.Set("cpuTimeNs", static_cast<double>(info.cpuTimeNs));
  made.Set("cpupool", static_cast<double>(info.cpupool));
  return made;
}

int32_t stateOf(const DomainInfo& info) {
  const uint32_t state = (info.isDying ? kDying : 0) | (info.isGone ? kGone : 0);
  if (!info.isShutdown) return static_cast<int32_t>(state);
  return static_cast<int32_t>(state | kShutdown | info.shutdownCode << kReasonShift);
}

}  // namespace xcl
