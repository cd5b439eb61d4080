#include "os.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "errors.h"
#include "unique_fd.h"

namespace xcl {

namespace {

// An open-file-description lock, not a process lock: the latter would vanish as soon as any other
// descriptor of the same file is closed, for example after somebody in this process has read it.
Napi::Value lockFile(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.isOpen()) throw Failure("open", errno, "cannot open " + path);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
      throw Failure("fcntl", errno == EACCES ? EAGAIN : errno, "cannot lock " + path);
    }
    return Napi::Number::New(info.Env(), fd.release());
  });
}

int setLock(int fd, int command, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return fcntl(fd, command, &lock);
}

// The next program in this process may be a stock daemon, which knows locks of processes only, and would take
// ours for somebody else's.
Napi::Value changeLock(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const bool isOfProcess = info[1].As<Napi::Boolean>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    setLock(fd, isOfProcess ? F_OFD_SETLK : F_SETLK, F_UNLCK);
    if (setLock(fd, isOfProcess ? F_SETLK : F_OFD_SETLK, F_WRLCK) != 0) {
      throw Failure("fcntl", errno == EACCES ? EAGAIN : errno, "cannot lock descriptor " + std::to_string(fd));
    }
    return info.Env().Undefined();
  });
}

Napi::Value sendNotify(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  const std::string text = info[1].As<Napi::String>();
  return guarded(info.Env(), [&]() -> Napi::Value {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
      throw Failure("connect", EINVAL, "cannot notify " + path);
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd.isOpen()) throw Failure("socket", errno, "cannot notify " + path);
    const ssize_t sent = sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), length);
    if (sent < 0) throw Failure("sendto", errno, "cannot notify " + path);
    return info.Env().Undefined();
  });
}

// Asks for the hard limit too where that is allowed; what cannot be had is no failure.
Napi::Value raiseFileLimit(const Napi::CallbackInfo& info) {
  const auto wanted = static_cast<rlim_t>(info[0].As<Napi::Number>().Int64Value());
  return guarded(info.Env(), [&]() -> Napi::Value {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) throw Failure("getrlimit", errno, "cannot read the limit of open files");
    if (limit.rlim_cur < wanted) {
      rlimit raised{wanted, wanted > limit.rlim_max ? wanted : limit.rlim_max};
      if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        raised = {wanted < limit.rlim_max ? wanted : limit.rlim_max, limit.rlim_max};
        setrlimit(RLIMIT_NOFILE, &raised);
      }
      getrlimit(RLIMIT_NOFILE, &limit);
    }
    return Napi::Number::New(info.Env(), static_cast<double>(limit.rlim_cur));
  });
}

Napi::Value closeFd(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (::close(fd) != 0 && errno != EINTR) {
      throw Failure("close", errno, "cannot close descriptor " + std::to_string(fd));
    }
    return info.Env().Undefined();
  });
}

// Of the thread that called: node starts processes from its main thread, which lives as long as it does.
Napi::Value setParentDeathSignal(const Napi::CallbackInfo& info) {
  const int signal = info[0].As<Napi::Number>().Int32Value();
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (prctl(PR_SET_PDEATHSIG, signal) != 0) throw Failure("prctl", errno, "cannot follow the parent process");
    return info.Env().Undefined();
  });
}

}  // namespace

void defineOs(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, lockFile, "lockFile"));
  exports.Set("changeLock", Napi::Function::New(env, changeLock, "changeLock"));
  exports.Set("sendNotify", Napi::Function::New(env, sendNotify, "sendNotify"));
  exports.Set("raiseFileLimit", Napi::Function::New(env, raiseFileLimit, "raiseFileLimit"));
  exports.Set("closeFd", Napi::Function::New(env, closeFd, "closeFd"));
  exports.Set("setParentDeathSignal", Napi::Function::New(env, setParentDeathSignal, "setParentDeathSignal"));
}

}  // namespace xcl
