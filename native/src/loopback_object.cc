#include "loopback_object.h"

#include "errors.h"

namespace xcl {

namespace {

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

}  // namespace

Napi::Function LoopbackObject::define(Napi::Env env) {
  return DefineClass(env, "Loopback",
                     {
                         InstanceMethod<&LoopbackObject::addPage>("addPage"),
                         InstanceMethod<&LoopbackObject::addPort>("addPort"),
                         InstanceMethod<&LoopbackObject::renewPort>("renewPort"),
                         InstanceMethod<&LoopbackObject::removeDomain>("removeDomain"),
                         InstanceMethod<&LoopbackObject::kick>("kick"),
                         InstanceMethod<&LoopbackObject::fireVirq>("fireVirq"),
                         InstanceMethod<&LoopbackObject::takeNotifications>("takeNotifications"),
                         InstanceMethod<&LoopbackObject::mappings>("mappings"),
                         InstanceMethod<&LoopbackObject::bindings>("bindings"),
                     });
}

// One call per page: the caller keeps the buffer.
Napi::Value LoopbackObject::addPage(const Napi::CallbackInfo& info) {
  const auto page = world_->addPage(numberAt(info, 0), static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  auto* keep = new std::shared_ptr<LoopbackPage>(page);
  return Napi::ArrayBuffer::New(
      info.Env(), page->bytes.data(), page->bytes.size(),
      [](Napi::BasicEnv, void*, std::shared_ptr<LoopbackPage>* kept) { delete kept; }, keep);
}

Napi::Value LoopbackObject::addPort(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), world_->addPort(numberAt(info, 0)));
}

void LoopbackObject::renewPort(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { world_->renewPort(numberAt(info, 0), numberAt(info, 1)); });
}

void LoopbackObject::removeDomain(const Napi::CallbackInfo& info) { world_->removeDomain(numberAt(info, 0)); }

void LoopbackObject::kick(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { world_->kick(numberAt(info, 0), numberAt(info, 1)); });
}

void LoopbackObject::fireVirq(const Napi::CallbackInfo& info) { world_->fireVirq(numberAt(info, 0)); }

Napi::Value LoopbackObject::takeNotifications(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), world_->takeNotifications(numberAt(info, 0), numberAt(info, 1)));
  });
}

Napi::Value LoopbackObject::mappings(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(world_->mappings()));
}

Napi::Value LoopbackObject::bindings(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(world_->bindings()));
}

}  // namespace xcl
