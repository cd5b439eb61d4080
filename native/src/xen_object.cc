#include "xen_object.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "background.h"
#include "errors.h"

namespace xcl {

namespace {

constexpr uint64_t kPageKiB = 4;

DomainInfo infoOf(const xc_domaininfo_t& found) {
  const auto has = [&](uint32_t flag) { return (found.flags & flag) != 0; };
  DomainInfo info;
  info.domid = found.domain;
  std::copy(std::begin(found.handle), std::end(found.handle), info.uuid.begin());
  info.isDying = has(XEN_DOMINF_dying);
  info.isShutdown = has(XEN_DOMINF_shutdown);
  info.shutdownCode = (found.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
  info.isPaused = has(XEN_DOMINF_paused);
  info.isBlocked = has(XEN_DOMINF_blocked);
  info.isRunning = has(XEN_DOMINF_running);
  info.isHvm = has(XEN_DOMINF_hvm_guest);
  info.memoryKiB = found.tot_pages * kPageKiB;
  info.outstandingKiB = found.outstanding_pages * kPageKiB;
  info.maxMemoryKiB = found.max_pages * kPageKiB;
  info.vcpus = found.nr_online_vcpus;
  info.cpuTimeNs = found.cpu_time;
  info.cpupool = found.cpupool;
  return info;
}

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

}  // namespace

Napi::Function XenObject::define(Napi::Env env) {
  return DefineClass(env, "Xen",
                     {
                         InstanceMethod<&XenObject::info>("info"),
                         InstanceMethod<&XenObject::list>("list"),
                         InstanceMethod<&XenObject::states>("states"),
                         InstanceMethod<&XenObject::changed>("changed"),
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
    return toJs(info.Env(), infoOf(*found));
  });
}

Napi::Value XenObject::list(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto found = parts()->domctl.list(numberAt(info, 0));
    auto made = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); i++) made.Set(i, toJs(info.Env(), infoOf(found[i])));
    return made;
  });
}

Napi::Value XenObject::states(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto found = parts()->domctl.list(numberAt(info, 0));
    auto made = Napi::Int32Array::New(info.Env(), found.size() * 2);
    for (size_t i = 0; i < found.size(); i++) {
      made[2 * i] = found[i].domain;
      made[2 * i + 1] = stateOf(infoOf(found[i]));
    }
    return made;
  });
}

// Xen tells from 4.21 on, by way of libxenmanage. libxenctrl, which this is made for, has no call for it:
// callers look at all domains, whatever Xen runs.
Napi::Value XenObject::changed(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

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
    const DomainSpec spec = domainSpecFrom(info[0]);
    return Background<uint32_t>::run(
        info.Env(), [kept, spec] { return kept->builder.create(spec, kept->hasHap); },
        [](Napi::Env env, uint32_t domid) { return Napi::Number::New(env, domid); });
  });
}

Napi::Value XenObject::prepare(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const uint32_t domid = numberAt(info, 0);
    const DomainSpec spec = domainSpecFrom(info[1]);
    return Background<DomainPorts>::run(
        info.Env(), [kept, domid, spec] { return kept->builder.prepare(domid, spec, kept->hasHap); },
        [](Napi::Env env, const DomainPorts& ports) { return toJs(env, ports); });
  });
}

Napi::Value XenObject::build(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto kept = parts();
    const uint32_t domid = numberAt(info, 0);
    const DomainSpec spec = domainSpecFrom(info[1]);
    const DomainPorts ports = domainPortsFrom(info[2]);
    const ImageSpec image = imageSpecFrom(info[3]);
    return Background<BuiltImage>::run(
        info.Env(), [kept, domid, spec, ports, image] { return kept->builder.build(domid, spec, ports, image); },
        [](Napi::Env env, const BuiltImage& built) { return toJs(env, built); });
  });
}

void XenObject::close(const Napi::CallbackInfo&) { parts_.reset(); }

}  // namespace xcl
