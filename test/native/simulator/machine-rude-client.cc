// A program that asks a simulated machine for what no program of ours asks for. Built by
// machine-rudeness.test.ts.
//
//   rude-client SOCKET malformed            sends what makes no sense; prints `NAME closed` or `NAME answered`
//   rude-client SOCKET strings              sends other numbers of texts than are asked for; prints `NAME ERRNO`
//   rude-client SOCKET frames DOMID         maps frames that no domain has; prints `FRAME ERRNO`
//   rude-client SOCKET deafen               scribbles over its own events without waking anybody, and stays until
//                                           its input ends; prints `ready` when it has
//   rude-client SOCKET fire                 fires all ports there are; prints `taken` when the machine has looked
//   rude-client SOCKET random SEED COUNT SPARED
//                                           so many calls with any arguments, none for the domain SPARED
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../../native/simulator/protocol.h"

namespace {

using namespace xcl::sim;

constexpr uint32_t kLastOp = static_cast<uint32_t>(Op::kCloseDisk);

std::string bytesOf(const void* from, size_t count) { return {static_cast<const char*>(from), count}; }

std::string requestOf(Op op, uint32_t domid, std::array<uint64_t, 4> args, const std::string& text) {
  Request request;
  request.op = op;
  request.domid = domid;
  std::copy(args.begin(), args.end(), request.args);
  request.textBytes = static_cast<uint32_t>(text.size());
  return bytesOf(&request, sizeof(request)) + text;
}

class Caller {
 public:
  explicit Caller(const char* path) : fd_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      std::perror("connect");
      std::exit(1);
    }
  }
  Caller(const Caller&) = delete;
  ~Caller() {
    if (area_ != nullptr) munmap(area_, sizeof(EventArea));
    if (wake_ >= 0) close(wake_);
    close(fd_);
  }

  /** @returns false: the machine has hung up */
  bool say(const std::string& message) {
    if (send(fd_, message.data(), message.size(), MSG_NOSIGNAL) < 0) return false;
    iovec part{answer_.data(), answer_.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(5 * sizeof(int))> control{};
    msghdr got{};
    got.msg_iov = &part;
    got.msg_iovlen = 1;
    got.msg_control = control.data();
    got.msg_controllen = control.size();
    const ssize_t count = recvmsg(fd_, &got, MSG_CMSG_CLOEXEC);
    if (count < static_cast<ssize_t>(sizeof(reply))) return false;
    std::memcpy(&reply, answer_.data(), sizeof(reply));
    if (const cmsghdr* header = CMSG_FIRSTHDR(&got)) takeDescriptors(header);
    return true;
  }
  bool call(Op op, uint32_t domid = 0, std::array<uint64_t, 4> args = {}, const std::string& text = "") {
    return say(requestOf(op, domid, args, text));
  }
  bool hello() { return call(Op::kHello, 0, {kProtocolVersion}); }
  bool isOpen() const { return area_ != nullptr; }
  EventArea& outArea() { return *area_; }
  void wakeMachine() { eventfd_write(wake_, 1); }

  Reply reply;

 private:
  void takeDescriptors(const cmsghdr* header) {
    std::array<int, 5> given{};
    std::memcpy(given.data(), CMSG_DATA(header), sizeof(given));
    void* at = mmap(nullptr, sizeof(EventArea), PROT_READ | PROT_WRITE, MAP_SHARED, given[3], 0);
    if (at != MAP_FAILED) area_ = static_cast<EventArea*>(at);
    wake_ = given[4];
    for (size_t i = 0; i < 4; i++) close(given[i]);
  }

  int fd_;
  int wake_ = -1;
  EventArea* area_ = nullptr;
  std::vector<char> answer_ = std::vector<char>(kMaxMessage + sizeof(Reply));
};

void sayMalformed(const char* path) {
  const auto attempt = [&](const char* name, bool isGreeted, const std::function<bool(Caller&)>& say) {
    Caller caller(path);
    if (isGreeted && !caller.hello()) std::exit(1);
    std::printf("%s %s\n", name, say(caller) ? "answered" : "closed");
  };
  const std::string list = requestOf(Op::kList, 0, {0, 1}, "");
  attempt("no-hello", false, [&](Caller& caller) { return caller.say(list); });
  attempt("second-hello", true, [](Caller& caller) { return caller.hello(); });
  attempt("one-byte", true, [](Caller& caller) { return caller.say("x"); });
  attempt("cut", true, [&](Caller& caller) { return caller.say(list.substr(0, list.size() - 1)); });
  attempt("no-op", true, [](Caller& caller) { return caller.call(Op{}); });
  attempt("unknown-op", true, [](Caller& caller) { return caller.call(static_cast<Op>(kLastOp + 1)); });
  attempt("last-op-of-all", true, [](Caller& caller) { return caller.call(static_cast<Op>(UINT32_MAX)); });
  attempt("text-too-long", true, [&](Caller& caller) { return caller.say(list + "more"); });
  attempt("text-not-asked-for", true, [](Caller& caller) { return caller.call(Op::kHost, 0, {}, "text"); });
  attempt("text-missing", true, [](Caller& caller) { return caller.call(Op::kCreate); });
  attempt("args-cut", true, [](Caller& caller) {
    return caller.call(Op::kCreate, 0, {}, std::string(sizeof(CreateArgs) - 1, '\1'));
  });
  attempt("args-too-long", true, [](Caller& caller) {
    return caller.call(Op::kPrepare, 0, {}, std::string(sizeof(CreateArgs) + 1, '\1'));
  });
  attempt("strings-missing", true, [](Caller& caller) {
    return caller.call(Op::kBuild, 1, {}, std::string(sizeof(CreateArgs), '\1') + "kernel");
  });
  attempt("string-without-end", true, [](Caller& caller) { return caller.call(Op::kOpenDisk, 0, {}, "/dev/null"); });
  attempt("too-many-listed", true, [](Caller& caller) { return caller.call(Op::kList, 0, {0, kListedAtOnce + 1}); });
  attempt("map-without-memory", true, [](Caller& caller) { return caller.call(Op::kMapSelf); });
  attempt("bind-without-memory", true, [](Caller& caller) { return caller.call(Op::kBindVirq, 0, {8}); });
  attempt("opened-twice", true, [](Caller& caller) {
    return caller.call(Op::kOpenMachine) && caller.call(Op::kOpenMachine);
  });
  attempt("longest", true, [](Caller& caller) { return caller.say(std::string(kMaxMessage + 1, '\1')); });
}

void sayOddStrings(const char* path) {
  using std::string_literals::operator""s;
  Caller caller(path);
  if (!caller.hello()) std::exit(1);
  const auto attempt = [&](const char* name, Op op, const std::string& text) {
    const bool isAnswered = caller.call(op, 1, {}, text);
    std::printf("%s %d\n", name, isAnswered ? caller.reply.error : -1);
  };
  const std::string args(sizeof(CreateArgs), '\1');
  attempt("build-more", Op::kBuild, args + "/k\0\0a\0b\0"s);
  attempt("build-fewer", Op::kBuild, args + "/k\0\0"s);
  attempt("bridge-more", Op::kJoinBridge, "vif1.0\0xenbr0\0x\0"s);
  attempt("bridge-fewer", Op::kJoinBridge, "vif1.0\0"s);
  attempt("open-more", Op::kOpenDisk, "/tmp/a\0b\0"s);
  attempt("close-more", Op::kCloseDisk, "/tmp/a\0b\0"s);
}

void mapNoFrames(const char* path, uint32_t domid) {
  Caller caller(path);
  if (!caller.hello() || !caller.call(Op::kOpenMachine)) std::exit(1);
  for (const uint64_t frame : {UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8, UINT64_C(1) << 52}) {
    const bool isAnswered = caller.call(Op::kMapFrame, domid, {frame});
    std::printf("%llx %d\n", static_cast<unsigned long long>(frame), isAnswered ? caller.reply.error : -1);
  }
}

void deafen(const char* path) {
  Caller caller(path);
  if (!caller.hello() || !caller.call(Op::kOpenMachine)) std::exit(1);
  caller.outArea().isSignalled.store(1);
  for (auto& word : caller.outArea().mask) word.store(UINT64_MAX);
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

void fireAll(const char* path) {
  Caller caller(path);
  if (!caller.hello() || !caller.call(Op::kOpenMachine)) std::exit(1);
  EventArea& area = caller.outArea();
  for (auto& word : area.pending) word.store(UINT64_MAX);
  for (auto& word : area.selector) word.store(UINT64_MAX);
  caller.wakeMachine();
  for (auto& word : area.pending) {
    while (word.load() != 0) sched_yield();
  }
  std::puts("taken");
}

/** SplitMix64. */
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t operator()() {
    uint64_t value = state_ += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }

 private:
  uint64_t state_;
};

class Rudeness {
 public:
  Rudeness(const char* path, uint64_t seed, uint32_t spared) : path_(path), random_(seed), spared_(spared) {}

  void run(int count) {
    for (int i = 0; i < count; i++) {
      if (callers_.size() < kCallers) connect();
      const size_t at = below(callers_.size());
      if (below(100) == 0 || !beRude(*callers_[at])) {
        std::swap(callers_[at], callers_.back());
        callers_.pop_back();
      }
    }
    std::printf("answered %d refused %d\n", answered_, refused_);
  }

 private:
  static constexpr size_t kCallers = 6;

  uint64_t below(uint64_t limit) { return random_() % limit; }

  void connect() {
    callers_.push_back(std::make_unique<Caller>(path_));
    if (callers_.back()->hello() && below(3) != 0) callers_.back()->call(Op::kOpenMachine);
  }

  uint64_t anyNumber() {
    const std::array<uint64_t, 13> odd = {0, 1, 2, 3, 8, below(64), below(kMaxPorts), kMaxPorts, 0x7ff0, UINT32_MAX,
                                          1ULL << 24 | below(64), UINT64_MAX - below(16), random_()};
    return odd[below(odd.size())];
  }

  uint32_t anyDomid() {
    const uint64_t domid = domids_.empty() || below(5) == 0 ? anyNumber() : domids_[below(domids_.size())];
    return domid == spared_ ? spared_ + 1 : static_cast<uint32_t>(domid);
  }

  std::string anyArgs() {
    CreateArgs args;
    args.isPvh = static_cast<uint32_t>(below(2));
    args.vcpus = below(10) == 0 ? static_cast<uint32_t>(anyNumber()) : 1;
    args.memoryKiB = args.maxMemoryKiB = below(5) == 0 ? anyNumber() : 4096;
    args.maxEvtchnPort = below(5) == 0 ? static_cast<uint32_t>(anyNumber()) : 127;
    args.maxGrantFrames = static_cast<int32_t>(below(5) == 0 ? anyNumber() : 4);
    args.storePort = 1;
    args.consolePort = below(5) == 0 ? static_cast<uint32_t>(anyNumber()) : 2;
    return bytesOf(&args, sizeof(args));
  }

  std::string textOf(Op op) {
    using std::string_literals::operator""s;
    if (op == Op::kCreate || op == Op::kPrepare) return anyArgs();
    if (op == Op::kBuild) return anyArgs() + "/proc/self/exe\0\0nonce=1\0"s;
    if (op == Op::kJoinBridge) return "vif1.0\0nobridge\0"s;
    if (op == Op::kOpenDisk) return below(2) == 0 ? "/dev/null\0"s : "/no/such/disk\0"s;
    if (op == Op::kCloseDisk) return "/no/such/disk\0"s;
    return "";
  }

  void fireAnything(Caller& caller) {
    EventArea& area = caller.outArea();
    for (int i = 0; i < 50; i++) {
      const uint64_t port = below(kMaxPorts);
      area.pending[port / 64].fetch_or(1ULL << (port % 64));
      area.selector[port / 4096].fetch_or(1ULL << (port / 64 % 64));
    }
    area.isSignalled.store(static_cast<uint32_t>(random_()));
    caller.wakeMachine();
  }

  bool beRude(Caller& caller) {
    if (caller.isOpen() && below(10) == 0) fireAnything(caller);
    if (below(50) == 0) {
      std::string noise(below(300), '\0');
      for (char& letter : noise) letter = static_cast<char>(random_());
      return caller.say(noise);
    }
    const Op op = static_cast<Op>(2 + below(kLastOp - 1));
    const uint32_t domid = anyDomid();
    if (!caller.call(op, domid, {anyNumber(), anyNumber(), anyNumber(), anyNumber()}, textOf(op))) return false;
    if (caller.reply.error == 0) {
      answered_++;
      if (op == Op::kCreate) domids_.push_back(static_cast<uint32_t>(caller.reply.results[0]));
    } else {
      refused_++;
    }
    return true;
  }

  const char* path_;
  Dice random_;
  uint32_t spared_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<uint32_t> domids_;
  int answered_ = 0;
  int refused_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[2] : "";
  if (what == "malformed") {
    sayMalformed(argv[1]);
  } else if (what == "strings") {
    sayOddStrings(argv[1]);
  } else if (what == "frames" && argc == 4) {
    mapNoFrames(argv[1], static_cast<uint32_t>(std::atoi(argv[3])));
  } else if (what == "deafen") {
    deafen(argv[1]);
  } else if (what == "fire") {
    fireAll(argv[1]);
  } else if (what == "random" && argc == 6) {
    Rudeness(argv[1], std::strtoull(argv[3], nullptr, 10), static_cast<uint32_t>(std::atoi(argv[5])))
        .run(std::atoi(argv[4]));
  } else {
    std::fprintf(stderr, "usage: rude-client SOCKET malformed | strings | frames DOMID | deafen | fire | random SEED COUNT SPARED\n");
    return 2;
  }
  return 0;
}
