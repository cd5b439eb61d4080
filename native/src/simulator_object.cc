#include "simulator_object.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "c_text.h"
#include "errors.h"

namespace xcl {

namespace {

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

/** A text with its NUL, as calls send them. */
void append(std::string& to, const std::string& text) { to.append(text.c_str(), text.size() + 1); }

std::string createText(const DomainSpec& spec, const DomainPorts& ports = {}) {
  sim::CreateArgs args;
  std::copy(spec.uuid.begin(), spec.uuid.end(), args.uuid);
  args.isPvh = spec.isPvh ? 1 : 0;
  args.vcpus = spec.vcpus;
  args.memoryKiB = spec.memoryKiB;
  args.maxMemoryKiB = spec.maxMemoryKiB;
  args.maxEvtchnPort = spec.maxEvtchnPort;
  args.maxGrantFrames = spec.maxGrantFrames;
  args.maxMaptrackFrames = spec.maxMaptrackFrames;
  args.storePort = ports.store;
  args.consolePort = ports.console;
  return {reinterpret_cast<const char*>(&args), sizeof(args)};
}

DomainInfo infoOf(const sim::DomainFacts& facts) {
  DomainInfo info;
  info.domid = facts.domid;
  std::copy(std::begin(facts.uuid), std::end(facts.uuid), info.uuid.begin());
  info.isDying = facts.isDying != 0;
  info.isShutdown = facts.isShutdown != 0;
  info.shutdownCode = facts.shutdownCode;
  info.isPaused = facts.isPaused != 0;
  info.isBlocked = facts.isBlocked != 0;
  info.isRunning = facts.isRunning != 0;
  info.isHvm = facts.isHvm != 0;
  info.memoryKiB = facts.memoryKiB;
  info.maxMemoryKiB = facts.maxMemoryKiB;
  info.vcpus = facts.vcpus;
  info.cpuTimeNs = facts.cpuTimeNs;
  info.isGone = facts.isGone != 0;
  return info;
}

/** @returns how many came */
size_t addInfos(std::span<const std::byte> payload, std::vector<DomainInfo>& to) {
  const size_t count = payload.size() / sizeof(sim::DomainFacts);
  for (size_t i = 0; i < count; i++) {
    sim::DomainFacts facts;
    std::memcpy(&facts, payload.data() + i * sizeof(facts), sizeof(facts));
    to.push_back(infoOf(facts));
  }
  return count;
}

Napi::Value statesToJs(Napi::Env env, const std::vector<DomainInfo>& found) {
  auto made = Napi::Int32Array::New(env, found.size() * 2);
  for (size_t i = 0; i < found.size(); i++) {
    made[2 * i] = static_cast<int32_t>(found[i].domid);
    made[2 * i + 1] = stateOf(found[i]);
  }
  return made;
}

}  // namespace

Napi::Function SimulatorObject::define(Napi::Env env) {
  return DefineClass(env, "Simulator",
                     {
                         InstanceMethod<&SimulatorObject::info>("info"),
                         InstanceMethod<&SimulatorObject::list>("list"),
                         InstanceMethod<&SimulatorObject::states>("states"),
                         InstanceMethod<&SimulatorObject::changed>("changed"),
                         InstanceMethod<&SimulatorObject::host>("host"),
                         InstanceMethod<&SimulatorObject::pause>("pause"),
                         InstanceMethod<&SimulatorObject::unpause>("unpause"),
                         InstanceMethod<&SimulatorObject::destroy>("destroy"),
                         InstanceMethod<&SimulatorObject::readConsoleRing>("readConsoleRing"),
                         InstanceMethod<&SimulatorObject::create>("create"),
                         InstanceMethod<&SimulatorObject::prepare>("prepare"),
                         InstanceMethod<&SimulatorObject::build>("build"),
                         InstanceMethod<&SimulatorObject::joinBridge>("joinBridge"),
                         InstanceMethod<&SimulatorObject::openDisk>("openDisk"),
                         InstanceMethod<&SimulatorObject::closeDisk>("closeDisk"),
                         InstanceMethod<&SimulatorObject::close>("close"),
                     });
}

SimulatorObject::SimulatorObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SimulatorObject>(info), context_(info.Env(), "Simulator") {
  guarded(info.Env(), [&] {
    link_ = std::make_shared<SimulatorLink>(cTextFrom(info[0], "simulator", "the path of the simulated machine"));
    watch_ = LoopWatch::open(info.Env(), link_->fd(), this);
    // The loop makes it non-blocking, but never reads from it: calls shall wait for their answers.
    fcntl(link_->fd(), F_SETFL, fcntl(link_->fd(), F_GETFL) & ~O_NONBLOCK);
    watch_->wait(UV_DISCONNECT);
    watch_->unref();
  });
  onGone_ = Napi::Persistent(info[1].As<Napi::Function>());
  Ref();
}

template <typename Body>
auto SimulatorObject::withLink(Body body) {
  return guarded(Env(), [&] {
    const auto link = link_;
    if (!link) throw Failure("interface", EBADF, "the hypervisor's handle is closed");
    try {
      return body(*link);
    } catch (const Failure&) {
      if (link->isGone()) tellGone();
      throw;
    }
  });
}

template <typename Body>
Napi::Value SimulatorObject::promised(Body body) {
  const auto deferred = Napi::Promise::Deferred::New(Env());
  try {
    deferred.Resolve(withLink(body));
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  }
  return deferred.Promise();
}

Napi::Value SimulatorObject::info(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    const uint32_t domid = numberAt(info, 0);
    std::vector<DomainInfo> found;
    addInfos(link.call(sim::Op::kList, {}, {domid, 1}).payload, found);
    if (found.empty() || found[0].domid != domid) return info.Env().Undefined();
    return toJs(info.Env(), found[0]);
  });
}

std::vector<DomainInfo> SimulatorObject::listed(SimulatorLink& link, uint32_t first) const {
  std::vector<DomainInfo> all;
  while (addInfos(link.call(sim::Op::kList, {}, {first, sim::kListedAtOnce}).payload, all) == sim::kListedAtOnce) {
    first = all.back().domid + 1;
  }
  return all;
}

Napi::Value SimulatorObject::list(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    const auto found = listed(link, numberAt(info, 0));
    auto made = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); i++) made.Set(i, toJs(info.Env(), found[i]));
    return made;
  });
}

Napi::Value SimulatorObject::states(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) { return statesToJs(info.Env(), listed(link, numberAt(info, 0))); });
}

Napi::Value SimulatorObject::changed(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    std::vector<DomainInfo> all;
    try {
      while (addInfos(link.call(sim::Op::kChanged).payload, all) > 0) {
      }
    } catch (const Failure& failure) {
      if (failure.error() != ENOSYS) throw;
      return info.Env().Undefined();
    }
    return statesToJs(info.Env(), all);
  });
}

Napi::Value SimulatorObject::host(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    sim::HostFacts facts;
    const auto payload = link.call(sim::Op::kHost).payload;
    std::memcpy(&facts, payload.data(), std::min(payload.size(), sizeof(facts)));
    auto made = Napi::Object::New(info.Env());
    made.Set("version", std::string(facts.version, strnlen(facts.version, sizeof(facts.version))));
    made.Set("totalMemoryKiB", static_cast<double>(facts.totalMemoryKiB));
    made.Set("freeMemoryKiB", static_cast<double>(facts.freeMemoryKiB));
    made.Set("cpus", static_cast<double>(facts.cpus));
    made.Set("caps", std::string(facts.caps, strnlen(facts.caps, sizeof(facts.caps))));
    return made;
  });
}

void SimulatorObject::pause(const Napi::CallbackInfo& info) {
  withLink([&](SimulatorLink& link) { link.call(sim::Op::kPause, numberAt(info, 0)); });
}

void SimulatorObject::unpause(const Napi::CallbackInfo& info) {
  withLink([&](SimulatorLink& link) { link.call(sim::Op::kUnpause, numberAt(info, 0)); });
}

Napi::Value SimulatorObject::destroy(const Napi::CallbackInfo& info) {
  return promised([&](SimulatorLink& link) {
    link.call(sim::Op::kDestroy, numberAt(info, 0));
    return info.Env().Undefined();
  });
}

Napi::Value SimulatorObject::readConsoleRing(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    const auto answer = link.call(sim::Op::kReadConsole, {}, {numberAt(info, 0)});
    auto made = Napi::Object::New(info.Env());
    const auto* bytes = reinterpret_cast<const char*>(answer.payload.data());
    made.Set("bytes", Napi::Buffer<char>::Copy(info.Env(), bytes, answer.payload.size()));
    made.Set("nextIndex", static_cast<double>(answer.results[0]));
    return made;
  });
}

Napi::Value SimulatorObject::create(const Napi::CallbackInfo& info) {
  return promised([&](SimulatorLink& link) -> Napi::Value {
    const auto results = link.call(sim::Op::kCreate, {}, {}, createText(domainSpecFrom(info[0]))).results;
    return Napi::Number::New(info.Env(), static_cast<double>(results[0]));
  });
}

Napi::Value SimulatorObject::prepare(const Napi::CallbackInfo& info) {
  return promised([&](SimulatorLink& link) {
    const std::string text = createText(domainSpecFrom(info[1]));
    const auto results = link.call(sim::Op::kPrepare, numberAt(info, 0), {}, text).results;
    return toJs(info.Env(), DomainPorts{static_cast<uint32_t>(results[0]), static_cast<uint32_t>(results[1])});
  });
}

Napi::Value SimulatorObject::build(const Napi::CallbackInfo& info) {
  return promised([&](SimulatorLink& link) {
    std::string text = createText(domainSpecFrom(info[1]), domainPortsFrom(info[2]));
    const ImageSpec image = imageSpecFrom(info[3]);
    append(text, image.kernel);
    append(text, image.ramdisk);
    append(text, image.cmdline);
    const auto results = link.call(sim::Op::kBuild, numberAt(info, 0), {}, text).results;
    return toJs(info.Env(), BuiltImage{results[0], results[1]});
  });
}

void SimulatorObject::joinBridge(const Napi::CallbackInfo& info) {
  withLink([&](SimulatorLink& link) {
    std::string text;
    append(text, cTextFrom(info[0], "join_bridge", "the interface's name"));
    append(text, cTextFrom(info[1], "join_bridge", "the bridge's name"));
    link.call(sim::Op::kJoinBridge, {}, {}, text);
  });
}

Napi::Value SimulatorObject::openDisk(const Napi::CallbackInfo& info) {
  return withLink([&](SimulatorLink& link) -> Napi::Value {
    std::string text;
    append(text, cTextFrom(info[0], "open_disk", "the disk's path"));
    const uint64_t isReadOnly = info[1].As<Napi::Boolean>() ? 1 : 0;
    const uint64_t device = link.call(sim::Op::kOpenDisk, {}, {isReadOnly}, text).results[0];
    auto made = Napi::Object::New(info.Env());
    made.Set("major", static_cast<double>(device >> 20));
    made.Set("minor", static_cast<double>(device & 0xfffff));
    return made;
  });
}

void SimulatorObject::closeDisk(const Napi::CallbackInfo& info) {
  withLink([&](SimulatorLink& link) {
    const auto device = info[0].As<Napi::Object>();
    const auto part = [&](const char* name) { return device.Get(name).As<Napi::Number>().Uint32Value(); };
    std::string text;
    append(text, cTextFrom(info[1], "close_disk", "the disk's path"));
    link.call(sim::Op::kCloseDisk, {}, {part("major") << 20 | part("minor")}, text);
  });
}

void SimulatorObject::close(const Napi::CallbackInfo&) { end(); }

void SimulatorObject::onReady(int) {
  Napi::HandleScope scope(Env());
  try {
    tellGone();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(Env(), error.Value());
  }
}

void SimulatorObject::tellGone() {
  if (onGone_.IsEmpty()) return;
  watch_->wait(0);
  // Taken out first: it may close this object, and is called once.
  const Napi::FunctionReference onGone = std::move(onGone_);
  onGone.MakeCallback(Env().Global(), {}, context_);
}

void SimulatorObject::end() {
  if (!link_) return;
  watch_.reset();
  link_.reset();
  onGone_.Reset();
  Unref();
}

}  // namespace xcl
