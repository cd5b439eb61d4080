#include "datagram_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "errors.h"

namespace xcl {

namespace {

/** As many as sendmmsg takes at once (UIO_MAXIOV). */
constexpr size_t kAtOnce = 1024;

UniqueFd connectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw Failure("connect", ENAMETOOLONG, "cannot send to " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.isOpen()) throw Failure("socket", errno, "cannot send to " + path);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw Failure("connect", errno, "cannot send to " + path);
  }
  return fd;
}

/** One system call for at most kAtOnce datagrams. @returns how many went out; -1 with errno: not even the first */
int sendSome(int fd, std::byte* bytes, const int32_t* ends, size_t first, size_t last) {
  std::array<mmsghdr, kAtOnce> messages;
  std::array<iovec, kAtOnce> parts;
  const size_t count = std::min(last - first, kAtOnce);
  for (size_t i = 0; i < count; i++) {
    const int32_t from = first + i == 0 ? 0 : ends[first + i - 1];
    parts[i] = {bytes + from, static_cast<size_t>(ends[first + i] - from)};
    messages[i] = {};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int sent = 0;
  do {
    sent = sendmmsg(fd, messages.data(), static_cast<unsigned>(count), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

}  // namespace

Napi::Function DatagramSocket::define(Napi::Env env) {
  return DefineClass(env, "DatagramSocket",
                     {
                         InstanceMethod<&DatagramSocket::send>("send"),
                         InstanceMethod<&DatagramSocket::onWritable>("onWritable"),
                         InstanceMethod<&DatagramSocket::close>("close"),
                     });
}

DatagramSocket::DatagramSocket(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<DatagramSocket>(info), context_(info.Env(), "DatagramSocket") {
  const std::string path = info[0].As<Napi::String>();
  guarded(info.Env(), [&] {
    UniqueFd fd = connectTo(path);
    watch_ = LoopWatch::open(info.Env(), fd.get(), this);
    fd_ = std::move(fd);
  });
  Ref();
}

DatagramSocket::~DatagramSocket() = default;

Napi::Value DatagramSocket::send(const Napi::CallbackInfo& info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  auto ends = info[1].As<Napi::Int32Array>();
  size_t at = info[2].As<Napi::Number>().Uint32Value();
  const size_t first = at;
  const size_t last = info[3].As<Napi::Number>().Uint32Value();
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!fd_.isOpen()) throw Failure("sendmmsg", EBADF, "cannot send through a closed socket");
    if (last > ends.ElementLength() || (last > 0 && static_cast<size_t>(ends[last - 1]) > bytes.ByteLength())) {
      throw Failure("sendmmsg", EINVAL, "cannot send more than there is");
    }
    auto* from = reinterpret_cast<std::byte*>(bytes.Data());
    while (at < last) {
      const int sent = sendSome(fd_.get(), from, ends.Data(), at, last);
      if (sent < 0) {
        // What went out before is told first; the failure comes again with the next call.
        if (at > first || errno == EAGAIN || errno == ENOBUFS) break;
        throw Failure("sendmmsg", errno, "cannot send");
      }
      at += static_cast<size_t>(sent);
    }
    return Napi::Number::New(info.Env(), static_cast<double>(at - first));
  });
}

void DatagramSocket::onWritable(const Napi::CallbackInfo& info) {
  if (!watch_) return;
  writable_ = Napi::Persistent(info[0].As<Napi::Function>());
  watch_->wait(UV_WRITABLE);
}

void DatagramSocket::close(const Napi::CallbackInfo&) { end(); }

void DatagramSocket::onReady(int) {
  if (writable_.IsEmpty()) return;
  Napi::HandleScope scope(Env());
  const Napi::FunctionReference once = std::move(writable_);
  watch_->wait(0);
  try {
    once.MakeCallback(Env().Global(), {}, context_);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(Env(), error.Value());
  }
}

void DatagramSocket::end() {
  if (!watch_) return;
  watch_.reset();
  fd_.reset();
  writable_.Reset();
  Unref();
}

}  // namespace xcl
