#include "exec_program.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "errors.h"

namespace xcl {

namespace {

std::vector<std::string> stringsIn(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  strings.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) strings.push_back(array.Get(i).As<Napi::String>());
  return strings;
}

/** Ends with null, as execve wants it; valid as long as `strings` are. */
std::vector<char*> pointersTo(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

/** Descriptors stay open across the exec; if it fails they are closed on exec again. */
class KeptOpen {
 public:
  explicit KeptOpen(const Napi::Array& fds) {
    for (uint32_t i = 0; i < fds.Length(); i++) {
      const int fd = fds.Get(i).As<Napi::Number>().Int32Value();
      const int flags = fcntl(fd, F_GETFD);
      if (flags < 0 || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) != 0) {
        const int error = errno;
        closeOnExec();
        throw Failure("fcntl", error, "cannot keep descriptor " + std::to_string(fd) + " open");
      }
      if ((flags & FD_CLOEXEC) != 0) kept_.push_back(fd);
    }
  }
  ~KeptOpen() { closeOnExec(); }
  KeptOpen(const KeptOpen&) = delete;
  KeptOpen& operator=(const KeptOpen&) = delete;

 private:
  void closeOnExec() {
    for (const int fd : kept_) fcntl(fd, F_SETFD, FD_CLOEXEC);
    kept_.clear();
  }

  std::vector<int> kept_;
};

}  // namespace

// The other threads of this process end with the exec, whatever they do: nothing of theirs is half done
// that anybody would miss.
Napi::Value execProgram(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  std::vector<std::string> args = stringsIn(info[1]);
  std::vector<std::string> env = stringsIn(info[2]);
  return guarded(info.Env(), [&]() -> Napi::Value {
    const KeptOpen kept(info[3].As<Napi::Array>());
    const std::vector<char*> argv = pointersTo(args);
    const std::vector<char*> envp = pointersTo(env);
    sigset_t none;
    sigset_t before;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &before);
    execve(path.c_str(), argv.data(), envp.data());
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw Failure("execve", error, "cannot become " + path);
  });
}

}  // namespace xcl
