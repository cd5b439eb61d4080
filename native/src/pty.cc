#include "pty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <cerrno>

#include "errors.h"

namespace xcl {

namespace {

constexpr size_t kReadBytes = 4096;

void setNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

Napi::Value openPty(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master.isOpen()) throw Failure("posix_openpt", errno, "cannot open a pseudo terminal");
    if (grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) {
      throw Failure("unlockpt", errno, "cannot unlock a pseudo terminal");
    }
    std::array<char, 64> path{};
    if (const int error = ptsname_r(master.get(), path.data(), path.size()); error != 0) {
      throw Failure("ptsname", error, "cannot name a pseudo terminal");
    }
    UniqueFd slave(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave.isOpen()) throw Failure("open", errno, std::string("cannot open ") + path.data());
    termios mode{};
    if (tcgetattr(slave.get(), &mode) != 0) throw Failure("tcgetattr", errno, "cannot read a terminal's mode");
    cfmakeraw(&mode);
    if (tcsetattr(slave.get(), TCSAFLUSH, &mode) != 0) {
      throw Failure("tcsetattr", errno, "cannot make a terminal raw");
    }
    setNonBlocking(master.get());
    auto pair = Napi::Object::New(info.Env());
    pair.Set("path", path.data());
    pair.Set("master", master.release());
    pair.Set("slave", slave.release());
    return pair;
  });
}

Napi::Function PtyMaster::define(Napi::Env env) {
  return DefineClass(env, "PtyMaster",
                     {
                         InstanceMethod<&PtyMaster::onReadable>("onReadable"),
                         InstanceMethod<&PtyMaster::onWritable>("onWritable"),
                         InstanceMethod<&PtyMaster::setReading>("setReading"),
                         InstanceMethod<&PtyMaster::write>("write"),
                         InstanceMethod<&PtyMaster::resize>("resize"),
                         InstanceMethod<&PtyMaster::close>("close"),
                     });
}

PtyMaster::PtyMaster(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<PtyMaster>(info), context_(info.Env(), "PtyMaster") {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  guarded(info.Env(), [&] {
    setNonBlocking(fd);
    watch_ = LoopWatch::open(info.Env(), fd, this);
    fd_.reset(fd);
  });
  Ref();
}

PtyMaster::~PtyMaster() = default;

void PtyMaster::onReadable(const Napi::CallbackInfo& info) {
  readable_ = Napi::Persistent(info[0].As<Napi::Function>());
  isReading_ = true;
  rearm();
}

void PtyMaster::onWritable(const Napi::CallbackInfo& info) {
  writable_ = Napi::Persistent(info[0].As<Napi::Function>());
  rearm();
}

void PtyMaster::setReading(const Napi::CallbackInfo& info) {
  isReading_ = info[0].As<Napi::Boolean>();
  rearm();
}

Napi::Value PtyMaster::write(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!fd_.isOpen()) throw Failure("write", EBADF, "cannot write to a closed terminal");
    const ssize_t taken = ::write(fd_.get(), bytes.Data(), bytes.ByteLength());
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
      throw Failure("write", errno, "cannot write to a terminal");
    }
    return Napi::Number::New(info.Env(), taken < 0 ? 0 : static_cast<double>(taken));
  });
}

void PtyMaster::resize(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    winsize size{};
    size.ws_col = static_cast<uint16_t>(info[0].As<Napi::Number>().Uint32Value());
    size.ws_row = static_cast<uint16_t>(info[1].As<Napi::Number>().Uint32Value());
    if (!fd_.isOpen()) return;
    if (ioctl(fd_.get(), TIOCSWINSZ, &size) != 0) throw Failure("TIOCSWINSZ", errno, "cannot size a terminal");
  });
}

void PtyMaster::close(const Napi::CallbackInfo&) { end(); }

void PtyMaster::onReady(int events) {
  Napi::HandleScope scope(Env());
  if ((events & UV_WRITABLE) != 0 && !writable_.IsEmpty()) {
    Napi::FunctionReference once = std::move(writable_);
    rearm();
    call(once, {});
  }
  if ((events & UV_READABLE) != 0 && isReading_ && fd_.isOpen()) readOnce();
}

void PtyMaster::readOnce() {
  std::array<uint8_t, kReadBytes> bytes;
  const ssize_t got = ::read(fd_.get(), bytes.data(), bytes.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    // Nobody holds the slave: an empty read tells the owner, who decides.
    isReading_ = false;
    rearm();
  }
  const size_t length = got > 0 ? static_cast<size_t>(got) : 0;
  auto copy = Napi::Buffer<uint8_t>::Copy(Env(), bytes.data(), length);
  call(readable_, {copy});
}

void PtyMaster::call(Napi::FunctionReference& callback, std::initializer_list<napi_value> args) {
  try {
    callback.MakeCallback(Env().Global(), args, context_);
  } catch (const Napi::Error& error) {
    napi_fatal_exception(Env(), error.Value());
  }
}

void PtyMaster::rearm() {
  if (!watch_) return;
  watch_->wait((isReading_ ? UV_READABLE : 0) | (writable_.IsEmpty() ? 0 : UV_WRITABLE));
}

void PtyMaster::end() {
  if (!watch_) return;
  watch_.reset();
  fd_.reset();
  readable_.Reset();
  writable_.Reset();
  Unref();
}

}  // namespace xcl
