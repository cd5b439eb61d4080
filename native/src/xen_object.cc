#include "xen_object.h"

#include <cerrno>

#include "background.h"
#include "errors.h"

namespace xcl {

namespace {

constexpr double kPageKiB = 4;

std::string uuidText(const xen_domain_handle_t& handle) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < sizeof(handle); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[handle[i] >> 4];
    text += kDigits[handle[i] & 15];
  }
  return text;
}

Napi::Object infoToJs(Napi::Env env, const xc_domaininfo_t& found) {
  const auto has = [&](uint32_t flag) { return (found.flags & flag) != 0; };
  auto made = Napi::Object::New(env);
  made.Set("domid", static_cast<double>(found.domain));
  made.Set("uuid", uuidText(found.handle));
  made.Set("isDying", has(XEN_DOMINF_dying));
  made.Set("isShutdown", has(XEN_DOMINF_shutdown));
  made.Set("shutdownCode", static_cast<double>((found.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask));
  made.Set("isPaused", has(XEN_DOMINF_paused));
  made.Set("isBlocked", has(XEN_DOMINF_blocked));
  made.Set("isRunning", has(XEN_DOMINF_running));
  made.Set("isHvm", has(XEN_DOMINF_hvm_guest));
  made.Set("memoryKiB", static_cast<double>(found.tot_pages) * kPageKiB);
  made.Set("outstandingKiB", static_cast<double>(found.outstanding_pages) * kPageKiB);
  made.Set("maxMemoryKiB", static_cast<double>(found.max_pages) * kPageKiB);
  made.Set("vcpus", static_cast<double>(found.nr_online_vcpus));
  made.Set("cpuTimeNs", static_cast<double>(found.cpu_time));
  made.Set("cpupool", static_cast<double>(found.cpupool));
  return made;
}

// DOMAIN_DYING, DOMAIN_SHUTDOWN and the reason above them, as in native/hypervisor.ts.
int32_t stateOf(const xc_domaininfo_t& found) {
  const uint32_t dying = (found.flags & XEN_DOMINF_dying) != 0 ? 1 : 0;
  if ((found.flags & XEN_DOMINF_shutdown) == 0) return static_cast<int32_t>(dying);
  const uint32_t reason = (found.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
  return static_cast<int32_t>(dying | 2U | reason << 8);
}

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

double numberOf(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().DoubleValue();
}

// The uuid was checked by its owner: 32 hexadecimal digits with dashes between them.
std::array<uint8_t, 16> uuidBytes(const std::string& text) {
  std::array<uint8_t, 16> bytes{};
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

DomainSpec specOf(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  DomainSpec spec;
  spec.isPvh = object.Get("type").As<Napi::String>().Utf8Value() == "pvh";
  spec.uuid = uuidBytes(object.Get("uuid").As<Napi::String>());
  spec.vcpus = static_cast<uint32_t>(numberOf(object, "vcpus"));
  spec.memoryKiB = static_cast<uint64_t>(numberOf(object, "memoryKiB"));
  spec.maxMemoryKiB = static_cast<uint64_t>(numberOf(object, "maxMemoryKiB"));
  spec.maxEvtchnPort = static_cast<uint32_t>(numberOf(object, "maxEvtchnPort"));
  spec.maxGrantFrames = static_cast<int32_t>(numberOf(object, "maxGrantFrames"));
  spec.maxMaptrackFrames = static_cast<int32_t>(numberOf(object, "maxMaptrackFrames"));
  return spec;
}

}  // namespace

Napi::Function XenObject::define(Napi::Env env) {
  return DefineClass(env, "Xen",
                     {
                         InstanceMethod<&XenObject::info>("info"),
                         InstanceMethod<&XenObject::list>("list"),
                         InstanceMethod<&XenObject::states>("states"),
                         InstanceMethod<&XenObject::host>("host"),
                         InstanceMethod<&XenObject::pause>("pause"),
                         InstanceMethod<&XenObject::unpause>("unpause"),
                         InstanceMethod<&XenObject::destroy>("destroy"),
                         InstanceMethod<&XenObject::readConsoleRing>("readConsoleRing"),
                         InstanceMethod<&XenObject::create>("create"),
                         InstanceMethod<&XenObject::prepare>("prepare"),
                         InstanceMethod<&XenObject::build>("build"),
                         InstanceMethod<&XenObject::close>("close"),
                     });
}

XenObject::XenObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<XenObject>(info) {
  parts_ = guarded(info.Env(), [] { return std::make_shared<Parts>(); });
}

std::shared_ptr<XenObject::Parts> XenObject::parts() const {
  if (!parts_) throw Failure("interface", EBADF, "the hypervisor's handle is closed");
  return parts_;
}

Napi::Value XenObject::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto found = parts()->domctl.info(numberAt(info, 0));
    if (!found) return info.Env().Undefined();
    return infoToJs(info.Env(), *found);
  });
}

Napi::Value XenObject::list(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto found = parts()->domctl.list(numberAt(info, 0));
    auto made = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); i++) made.Set(i, infoToJs(info.Env(), found[i]));
    return made;
  });
}

Napi::Value XenObject::states(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto found = parts()->domctl.list(numberAt(info, 0));
    auto made = Napi::Int32Array::New(info.Env(), found.size() * 2);
    for (size_t i = 0; i < found.size(); i++) {
      made[2 * i] = found[i].domain;
      made[2 * i + 1] = stateOf(found[i]);
    }
    return made;
  });
}

Napi::Value XenObject::host(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const HostFacts facts = parts()->domctl.host();
    auto made = Napi::Object::New(info.Env());
    made.Set("version", facts.version);
    made.Set("totalMemoryKiB", static_cast<double>(facts.totalKiB));
    made.Set("freeMemoryKiB", static_cast<double>(facts.freeKiB));
    made.Set("cpus", static_cast<double>(facts.cpus));
    made.Set("caps", facts.caps);
    return made;
  });
}

Napi::Value XenObject::pause(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    parts()->domctl.pause(numberAt(info, 0));
    return info.Env().Undefined();
  });
}

Napi::Value XenObject::unpause(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    parts()->domctl.unpause(numberAt(info, 0));
    return info.Env().Undefined();
  });
}

Napi::Value XenObject::destroy(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const uint32_t domid = numberAt(info, 0);
    return Background<bool>::run(
        info.Env(),
        [kept, domid] {
          kept->domctl.destroy(domid);
          return true;
        },
        [](Napi::Env env, bool) { return env.Undefined(); });
  });
}

Napi::Value XenObject::readConsoleRing(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const ConsoleText text = parts()->domctl.readConsoleRing(numberAt(info, 0));
    auto made = Napi::Object::New(info.Env());
    made.Set("bytes", Napi::Buffer<char>::Copy(info.Env(), text.bytes.data(), text.bytes.size()));
    made.Set("nextIndex", static_cast<double>(text.nextIndex));
    return made;
  });
}

Napi::Value XenObject::create(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const DomainSpec spec = specOf(info[0]);
    return Background<uint32_t>::run(
        info.Env(), [kept, spec] { return kept->builder.create(spec, kept->hasHap); },
        [](Napi::Env env, uint32_t domid) { return Napi::Number::New(env, domid); });
  });
}

Napi::Value XenObject::prepare(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const uint32_t domid = numberAt(info, 0);
    const DomainSpec spec = specOf(info[1]);
    return Background<DomainPorts>::run(
        info.Env(), [kept, domid, spec] { return kept->builder.prepare(domid, spec, kept->hasHap); },
        [](Napi::Env env, const DomainPorts& ports) {
          auto made = Napi::Object::New(env);
          made.Set("storePort", static_cast<double>(ports.store));
          made.Set("consolePort", static_cast<double>(ports.console));
          return made;
        });
  });
}

Napi::Value XenObject::build(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const uint32_t domid = numberAt(info, 0);
    const DomainSpec spec = specOf(info[1]);
    const auto portsObject = info[2].As<Napi::Object>();
    const DomainPorts ports{static_cast<uint32_t>(numberOf(portsObject, "storePort")),
                            static_cast<uint32_t>(numberOf(portsObject, "consolePort"))};
    const auto imageObject = info[3].As<Napi::Object>();
    ImageSpec image;
    image.kernel = imageObject.Get("kernel").As<Napi::String>().Utf8Value();
    image.cmdline = imageObject.Get("cmdline").As<Napi::String>().Utf8Value();
    const Napi::Value ramdisk = imageObject.Get("ramdisk");
    if (ramdisk.IsString()) image.ramdisk = ramdisk.As<Napi::String>().Utf8Value();
    return Background<BuiltImage>::run(
        info.Env(), [kept, domid, spec, ports, image] { return kept->builder.build(domid, spec, ports, image); },
        [](Napi::Env env, const BuiltImage& built) {
          auto made = Napi::Object::New(env);
          made.Set("storeGfn", static_cast<double>(built.storeGfn));
          made.Set("consoleGfn", static_cast<double>(built.consoleGfn));
          return made;
        });
  });
}

void XenObject::close(const Napi::CallbackInfo&) { parts_.reset(); }

}  // namespace xcl
