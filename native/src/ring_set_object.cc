#include "ring_set_object.h"

#include <cerrno>
#include <chrono>
#include <thread>

#include "errors.h"
#include "loopback_object.h"
#include "machine_simulator.h"
#ifdef XCL_WITH_XEN
#include "machine_xen.h"
#endif

namespace xcl {

namespace {

// About so many words of batches in one turn of the loop; then everything else in the process has its turn.
constexpr size_t kWordsPerTurn = 32 * 1024;
// Then timers have their turn; a batch that was begun before ends after it.
constexpr uint64_t kTurnNs = 4'000'000;
// What one ring holds is served in one turn, however long others keep the processor.
constexpr size_t kWordsWhateverTime = 512;
constexpr uint64_t kAcceptRestMs = 100;
// Consoles are read by people and written to files, and nobody waits for a reply: where guests print more often than
// once in a moment, what they print in so long is taken together. Ten thousand of them, each a line a second, would
// wake this thread for every line, and that costs more than the line (bench/consoles, print). No guest is slowed down:
// its allowance, 30 events in 200 ms, lets it be heard every 7 ms at most.
constexpr std::chrono::microseconds kMoment(1000);
constexpr std::chrono::microseconds kLinger(5000);

template <typename T>
std::span<T> spanOf(Napi::ArrayBuffer buffer) {
  return {static_cast<T*>(buffer.Data()), buffer.ByteLength() / sizeof(T)};
}

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

std::unique_ptr<Machine> machineOf(const Napi::Object& config, size_t maxConnections) {
  const auto machine = config.Get("machine").As<Napi::Object>();
  const int inheritedFd = config.Get("inheritedFd").As<Napi::Number>().Int32Value();
  const std::string kind = machine.Get("kind").As<Napi::String>();
  if (kind == "loopback") {
    return std::make_unique<MachineLoopback>(LoopbackObject::Unwrap(machine.Get("world").As<Napi::Object>())->world());
  }
  if (kind == "simulator") {
    if (inheritedFd >= 0) return std::make_unique<MachineSimulator>(UniqueFd(inheritedFd));
    return std::make_unique<MachineSimulator>(machine.Get("socketPath").As<Napi::String>().Utf8Value());
  }
#ifdef XCL_WITH_XEN
  return std::make_unique<MachineXen>(static_cast<uint32_t>(maxConnections), inheritedFd);
#else
  (void)maxConnections;
  throw Failure("open", ENOSYS, "this build has no Xen part");
#endif
}

}  // namespace

Napi::Function RingSetObject::define(Napi::Env env) {
  return DefineClass(env, "RingSet",
                     {
                         InstanceMethod<&RingSetObject::attach>("attach"),
                         InstanceMethod<&RingSetObject::attachSelf>("attachSelf"),
                         InstanceMethod<&RingSetObject::reattach>("reattach"),
                         InstanceMethod<&RingSetObject::isBound>("isBound"),
                         InstanceMethod<&RingSetObject::reconnect>("reconnect"),
                         InstanceMethod<&RingSetObject::reset>("reset"),
                         InstanceMethod<&RingSetObject::resume>("resume"),
                         InstanceMethod<&RingSetObject::drain>("drain"),
                         InstanceMethod<&RingSetObject::detach>("detach"),
                         InstanceMethod<&RingSetObject::listen>("listen"),
                         InstanceMethod<&RingSetObject::findPaths>("findPaths"),
                         InstanceMethod<&RingSetObject::serve>("serve"),
                         InstanceMethod<&RingSetObject::serveNow>("serveNow"),
                         InstanceMethod<&RingSetObject::flush>("flush"),
                         InstanceMethod<&RingSetObject::expireEvents>("expireEvents"),
                         InstanceMethod<&RingSetObject::close>("close"),
                         InstanceMethod<&RingSetObject::inheritableDescriptors>("inheritableDescriptors"),
                         InstanceMethod<&RingSetObject::inputOf>("inputOf"),
                         InstanceMethod<&RingSetObject::unsentOf>("unsentOf"),
                         InstanceMethod<&RingSetObject::cutOf>("cutOf"),
                         InstanceMethod<&RingSetObject::putBack>("putBack"),
                         InstanceMethod<&RingSetObject::releaseVirqs>("releaseVirqs"),
                         InstanceMethod<&RingSetObject::bindVirqs>("bindVirqs"),
                         InstanceMethod<&RingSetObject::adoptListener>("adoptListener"),
                         InstanceMethod<&RingSetObject::adoptSocket>("adoptSocket"),
                         InstanceMethod<&RingSetObject::adoptRing>("adoptRing"),
                         InstanceMethod<&RingSetObject::restoreOutput>("restoreOutput"),
                     });
}

RingSetObject::RingSetObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<RingSetObject>(info) {
  const auto config = info[0].As<Napi::Object>();
  const auto buffer = [&](const char* name) {
    auto found = config.Get(name).As<Napi::ArrayBuffer>();
    memory_.push_back(Napi::Persistent(found));
    return found;
  };
  const RingSetMemory memory{
      spanOf<ConnectionRecord>(buffer("records")).first(config.Get("maxConnections").As<Napi::Number>().Uint32Value() + 1),
      spanOf<std::byte>(buffer("blocks")),
      spanOf<int32_t>(buffer("batch")),
      spanOf<int32_t>(buffer("output")),
  };
  outputWords_ = spanOf<int32_t>(buffer("outputWords"));
  clock_ = spanOf<double>(buffer("clock"));
  std::vector<uint32_t> virqs;
  const auto wanted = config.Get("virqs").As<Napi::Array>();
  for (uint32_t i = 0; i < wanted.Length(); i++) virqs.push_back(wanted.Get(i).As<Napi::Number>().Uint32Value());
  const auto kind = config.Get("isConsole").As<Napi::Boolean>() ? RingKind::kConsole : RingKind::kXenstore;
  mayLinger_ = kind == RingKind::kConsole;
  guarded(info.Env(), [&] {
    set_ = std::make_unique<RingSet>(kind, machineOf(config, memory.records.size()), memory, virqs);
    watch_ = LoopWatch::open(info.Env(), set_->pollFd(), this);
  });
  // A function of its own and no method: to find the object behind `this` costs more than all the rest.
  info.This().As<Napi::Object>().Set("next", Napi::Function::New<&RingSetObject::next>(info.Env(), "next", this));
  Ref();
}

RingSetObject::~RingSetObject() = default;

Napi::Value RingSetObject::attach(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    const auto kind = info[1].As<Napi::Boolean>() ? PageKind::kGref : PageKind::kGfn;
    const auto page = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
    return Napi::Number::New(info.Env(),
                             set_->attach(numberAt(info, 0), kind, page, numberAt(info, 3), numberAt(info, 4)));
  });
}

Napi::Value RingSetObject::attachSelf(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), set_->attachSelf()); });
}

void RingSetObject::reattach(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->reattach(numberAt(info, 0), numberAt(info, 1)); });
}

Napi::Value RingSetObject::isBound(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    return Napi::Boolean::New(info.Env(), set_->isBound(numberAt(info, 0)));
  });
}

void RingSetObject::reconnect(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->reconnect(numberAt(info, 0)); });
}

void RingSetObject::reset(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->reset(numberAt(info, 0)); });
}

void RingSetObject::resume(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->resume(numberAt(info, 0)); });
}

void RingSetObject::drain(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->drain(numberAt(info, 0)); });
}

void RingSetObject::detach(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->detach(numberAt(info, 0)); });
}

void RingSetObject::listen(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { set_->listen(info[0].As<Napi::String>()); });
}

void RingSetObject::findPaths(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] {
    const auto tables = info[0].As<Napi::Object>();
    const auto buffer = [&](const char* name) {
      auto found = tables.Get(name).As<Napi::ArrayBuffer>();
      memory_.push_back(Napi::Persistent(found));
      return found;
    };
    set_->findPaths(PathTableMemory{
        spanOf<const int32_t>(buffer("buckets")),
        spanOf<const int32_t>(buffer("links")),
        spanOf<const int32_t>(buffer("nodes")),
        spanOf<const std::byte>(buffer("names")),
    });
  });
}

void RingSetObject::serve(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] {
    onBatch_ = Napi::Persistent(info[0].As<Napi::Function>());
    if (waitsForLoop_) return;
    // Whoever waits in a set within the loop's own set pays for two at each request.
    if (const int loop = watch_->waitForLoop(); loop >= 0) {
      waitsForLoop_ = true;
      set_->watchLoop(loop);
    } else {
      watch_->wait(UV_READABLE);
    }
  });
}

void RingSetObject::serveNow(const Napi::CallbackInfo&) {
  if (set_ && !isInTurn_ && !onBatch_.IsEmpty()) turn();
}

void RingSetObject::flush(const Napi::CallbackInfo& info) {
  withSet(info.Env(), [&] { flushOutput(); });
}

Napi::Value RingSetObject::expireEvents(const Napi::CallbackInfo& info) {
  return withSet(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), set_->expireEvents(numberAt(info, 0), info[1].As<Napi::Number>().DoubleValue()));
  });
}

void RingSetObject::close(const Napi::CallbackInfo&) { end(); }

LoopListener::Wake RingSetObject::onWait(int timeoutMs) {
  const bool hasWork = set_->hasWork();
  if (hasWork || timeoutMs == 0 || !mayLinger_) {
    const RingSet::Found found = set_->wait(hasWork ? 0 : timeoutMs);
    return {found.isOwn || hasWork, found.isLoop};
  }
  const auto most = std::chrono::milliseconds(timeoutMs < 0 ? kLinger.count() : timeoutMs);
  if (isBusy_) std::this_thread::sleep_for(std::min<std::chrono::microseconds>(kLinger, most));
  const auto asleep = std::chrono::steady_clock::now();
  const RingSet::Found found = set_->wait(timeoutMs);
  const bool isShort = std::chrono::steady_clock::now() - asleep < kMoment;
  // What the loop waits for, replies of the store and viewers, makes nobody linger.
  isBusy_ = isShort && (found.isOwn || isBusy_);
  return {found.isOwn, found.isLoop};
}

void RingSetObject::onTimer() {
  Napi::HandleScope scope(Env());
  fromLoop([this] { set_->retryAccept(); });
}

// TypeScript is called with the turn's first batch and asks for the next ones itself: to be called from
// JavaScript costs a quarter of calling it.
void RingSetObject::turn() {
  Napi::HandleScope scope(Env());
  isInTurn_ = true;
  wordsInTurn_ = 0;
  fromLoop([this] {
    const size_t words = nextBatch();
    // What the batches' handler has put off (microtasks) runs at the end of this, too.
    if (words > 0) onBatch_.MakeCallback(Env().Global(), {Napi::Number::New(Env(), static_cast<double>(words))});
  });
  // The microtasks may have said something, too.
  if (set_) fromLoop([this] { flushOutput(); });
  isInTurn_ = false;
  comeBack();
}

Napi::Value RingSetObject::next(const Napi::CallbackInfo& info) {
  auto* self = static_cast<RingSetObject*>(info.Data());
  return guarded(info.Env(), [&] {
    size_t words = 0;
    if (self->set_ && self->isInTurn_) {
      self->settleBatch();
      words = self->nextBatch();
    }
    return Napi::Number::New(info.Env(), static_cast<double>(words));
  });
}

// @returns words in it; 0: this turn has none
size_t RingSetObject::nextBatch() {
  const uint64_t now = uv_hrtime();
  clock_[0] = static_cast<double>(now) / 1e6;
  if (wordsInTurn_ == 0) turnEndsNs_ = now + kTurnNs;
  size_t words = 0;
  // A small request may be much work: what came in does not say how long a turn takes.
  const size_t most = now < turnEndsNs_ ? kWordsPerTurn : kWordsWhateverTime;
  while (wordsInTurn_ < most) {
    // Who else has come is asked by the wait itself, which is next.
    if (waitsForLoop_ && wordsInTurn_ > 0 && set_->isAllServed()) break;
    set_->collect();
    words = set_->fill();
    wordsInTurn_ += words + 1;
    if (words > 0 || !set_->hasWork()) break;
  }
  return words;
}

void RingSetObject::settleBatch() {
  const auto words = static_cast<uint32_t>(outputWords_[0]);
  outputWords_[0] = 0;
  set_->publishTaken();
  if (words == 0) {
    set_->notifyTouched();
  } else if (!set_->flushAwaited(words)) {
    outputWords_[0] = static_cast<int32_t>(words);
  }
  set_->endBatch();
}

// What is thrown has nobody above it to catch it: the process decides, as for any uncaught exception.
template <typename Body>
void RingSetObject::fromLoop(Body body) {
  napi_value thrown = nullptr;
  try {
    body();
    return;
  } catch (const Napi::Error& error) {
    thrown = error.Value();
  } catch (const Failure& failure) {
    thrown = toJs(Env(), failure).Value();
  }
  if (set_) set_->endBatch();
  napi_fatal_exception(Env(), thrown);
}

void RingSetObject::flushOutput() {
  const auto words = static_cast<uint32_t>(outputWords_[0]);
  outputWords_[0] = 0;
  if (words > 0) {
    set_->flush(words);
  } else {
    set_->notifyTouched();
  }
}

void RingSetObject::comeBack() {
  if (!set_ || isInTurn_) return;
  if (!waitsForLoop_ && set_->hasWork() && !onBatch_.IsEmpty()) watch_->again();
  if (set_->isAcceptResting()) watch_->later(kAcceptRestMs);
}

void RingSetObject::end() {
  if (!set_) return;
  watch_.reset();
  set_.reset();
  memory_.clear();
  onBatch_.Reset();
  Unref();
}

}  // namespace xcl
