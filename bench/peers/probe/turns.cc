// Loaded before a daemon's own libraries: measures the turns of its loop, from the end of one wait for events to
// the beginning of the next, in CPU time of the thread that does it. The longest one is in the file XCL_TURNS,
// as two words of 64 bits: nanoseconds, and how many turns there were. Whoever looks may set them to 0.
// What lixs' addon asks of the kernel while JavaScript runs is part of a turn, and no wait between two.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

struct Turns {
  std::atomic<uint64_t> longestNs;
  std::atomic<uint64_t> count;
};

Turns* openTurns() {
  const char* const file = std::getenv("XCL_TURNS");
  if (file == nullptr) return nullptr;
  const int fd = ::open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Turns)) != 0) return nullptr;
  void* const there = ::mmap(nullptr, sizeof(Turns), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return there == MAP_FAILED ? nullptr : static_cast<Turns*>(there);
}

uint64_t cpuNs() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

/**
 * Whether the code there is the addon's, which Node loads into one place and never unloads. Of each kind one address
 * is remembered: a loop waits from the same few, and asking the loader is not free.
 */
bool isInAddon(void* code) {
  static void* addons = nullptr;
  static void* others = nullptr;
  if (code == addons) return true;
  if (code == others) return false;
  Dl_info found{};
  const bool isAddons =
      dladdr(code, &found) != 0 && found.dli_fname != nullptr && std::strstr(found.dli_fname, "xcl_native") != nullptr;
  (isAddons ? addons : others) = code;
  return isAddons;
}

/** Lives as long as one wait. */
class Wait {
 public:
  /** @param caller where it was asked for */
  explicit Wait(void* caller) {
    // Only the first thread has the loop; others wait for work of their own.
    static const bool isWanted = turns() != nullptr;
    isCounted_ = isWanted && ::gettid() == ::getpid() && !isInAddon(caller);
    if (!isCounted_ || begunNs_ == 0) return;
    const uint64_t ns = cpuNs() - begunNs_;
    if (ns > turns()->longestNs.load()) turns()->longestNs.store(ns);
    turns()->count.fetch_add(1);
  }
  ~Wait() {
    if (isCounted_) begunNs_ = cpuNs();
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 private:
  static Turns* turns() {
    static Turns* const turns = openTurns();
    return turns;
  }

  inline static uint64_t begunNs_ = 0;
  bool isCounted_;
};

/** The function of that name that this library stands before. */
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int epoll_wait(int set, epoll_event* events, int count, int timeout) {
  static auto* const real = next<int(int, epoll_event*, int, int)>("epoll_wait");
  const Wait wait(__builtin_return_address(0));
  return real(set, events, count, timeout);
}

int epoll_pwait(int set, epoll_event* events, int count, int timeout, const sigset_t* mask) {
  static auto* const real = next<int(int, epoll_event*, int, int, const sigset_t*)>("epoll_pwait");
  const Wait wait(__builtin_return_address(0));
  return real(set, events, count, timeout, mask);
}

int poll(pollfd* fds, nfds_t count, int timeout) {
  static auto* const real = next<int(pollfd*, nfds_t, int)>("poll");
  const Wait wait(__builtin_return_address(0));
  return real(fds, count, timeout);
}

int select(int count, fd_set* reads, fd_set* writes, fd_set* errors, timeval* timeout) {
  static auto* const real = next<int(int, fd_set*, fd_set*, fd_set*, timeval*)>("select");
  const Wait wait(__builtin_return_address(0));
  return real(count, reads, writes, errors, timeout);
}

}  // extern "C"
