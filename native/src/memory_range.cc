#include "memory_range.h"

#include <sys/mman.h>

#include <cerrno>

#include "errors.h"

namespace xcl {

namespace {

constexpr size_t kPage = 4096;

/** What a view holds on to. */
struct Keep {
  std::shared_ptr<Mapping> mapping;
  int64_t bytes;
};

size_t pageMultiple(const Napi::Value& value, const char* name) {
  const int64_t number = value.As<Napi::Number>().Int64Value();
  if (number < 0 || number % kPage != 0) {
    throw Napi::RangeError::New(value.Env(), std::string(name) + " is no multiple of 4096");
  }
  return static_cast<size_t>(number);
}

}  // namespace

Mapping::Mapping(size_t bytes, int fd) : size_(bytes) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) {
    throw Failure("mmap", errno, "cannot map " + std::to_string(bytes) + " bytes of address space");
  }
  data_ = static_cast<std::byte*>(at);
}

Mapping::~Mapping() { munmap(data_, size_); }

Napi::Function MemoryRange::define(Napi::Env env) {
  return DefineClass(env, "MemoryRange",
                     {
                         InstanceAccessor<&MemoryRange::byteLength>("byteLength"),
                         InstanceMethod<&MemoryRange::view>("view"),
                         InstanceMethod<&MemoryRange::close>("close"),
                     });
}

MemoryRange::MemoryRange(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MemoryRange>(info) {
  const size_t bytes = pageMultiple(info[0], "size");
  const int fd = info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : -1;
  mapping_ = guarded(info.Env(), [&] { return std::make_shared<Mapping>(bytes, fd); });
}

Napi::Value MemoryRange::byteLength(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), mapping_ ? static_cast<double>(mapping_->size()) : 0);
}

Napi::Value MemoryRange::view(const Napi::CallbackInfo& info) {
  const size_t offset = pageMultiple(info[0], "offset");
  const size_t length = pageMultiple(info[1], "length");
  if (!mapping_) throw Napi::Error::New(info.Env(), "the memory range is closed");
  if (offset > mapping_->size() || length > mapping_->size() - offset) {
    throw Napi::RangeError::New(info.Env(), "the view leaves the memory range");
  }
  auto& known = views_[{offset, length}];
  if (!known.IsEmpty()) return known.Value();
  // V8 counts a view's whole length as memory that a garbage collection might free, and collects at once
  // when gigabytes appear (12 views of 1 GiB: 110 ms at start, bench by --trace-gc). It is only address
  // space: so the count is lowered by as much, and raised again when the view goes.
  const auto bytes = static_cast<int64_t>(length);
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -bytes);
  auto* keep = new Keep{mapping_, bytes};
  auto made = Napi::ArrayBuffer::New(
      info.Env(), mapping_->data() + offset, length,
      [](Napi::BasicEnv env, void*, Keep* kept) {
        Napi::MemoryManagement::AdjustExternalMemory(env, kept->bytes);
        delete kept;
      },
      keep);
  known = Napi::Persistent(made);
  return made;
}

void MemoryRange::close(const Napi::CallbackInfo&) {
  views_.clear();
  mapping_.reset();
}

}  // namespace xcl
