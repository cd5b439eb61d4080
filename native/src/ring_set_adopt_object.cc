// What native/handover.ts asks of a set of rings.
#include "ring_set_object.h"

namespace xcl {

namespace {

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

std::span<const std::byte> bytesAt(const Napi::CallbackInfo& info, size_t index) {
  const auto bytes = info[index].As<Napi::Uint8Array>();
  return {reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()};
}

Napi::Value copyOf(Napi::Env env, const std::vector<std::byte>& bytes) {
  auto copy = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(copy.Data()));
  return copy;
}

}  // namespace

Napi::Value RingSetObject::inheritableDescriptors(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    auto descriptors = Napi::Object::New(info.Env());
    descriptors.Set("listener", set_->listenerFd());
    descriptors.Set("events", set_->machineFd());
    return descriptors;
  });
}

Napi::Value RingSetObject::inputOf(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value { return copyOf(info.Env(), set_->inputOf(numberAt(info, 0))); });
}

Napi::Value RingSetObject::unsentOf(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value { return copyOf(info.Env(), set_->unsentOf(numberAt(info, 0))); });
}

Napi::Value RingSetObject::cutOf(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), set_->cutOf(numberAt(info, 0))); });
}

void RingSetObject::putBack(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->putBack(numberAt(info, 0), bytesAt(info, 1)); });
}

void RingSetObject::releaseVirqs(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->releaseVirqs(); });
}

void RingSetObject::bindVirqs(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->bindVirqs(); });
}

void RingSetObject::adoptListener(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->adoptListener(info[0].As<Napi::Number>().Int32Value()); });
}

Napi::Value RingSetObject::adoptSocket(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    const bool isEnded = info[1].As<Napi::Boolean>();
    return Napi::Number::New(info.Env(), set_->adoptSocket(info[0].As<Napi::Number>().Int32Value(), isEnded));
  });
}

Napi::Value RingSetObject::adoptRing(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    const auto given = info[0].As<Napi::Object>();
    const auto number = [&](const char* name) { return given.Get(name).As<Napi::Number>(); };
    AdoptedRing ring;
    ring.domid = number("domid").Uint32Value();
    ring.pageKind = static_cast<PageKind>(number("pageKind").Int32Value());
    ring.page = static_cast<uint64_t>(number("page").Int64Value());
    ring.localPort = number("localPort").Uint32Value();
    ring.remotePort = number("remotePort").Uint32Value();
    ring.features = number("features").Uint32Value();
    ring.isBroken = given.Get("isBroken").As<Napi::Boolean>();
    return Napi::Number::New(info.Env(), set_->adoptRing(ring));
  });
}

void RingSetObject::restoreOutput(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->restoreOutput(numberAt(info, 0), bytesAt(info, 1), numberAt(info, 2)); });
}

}  // namespace xcl
