// xcl-simulator: a simulated Xen machine as a process.

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>

#include "machine.h"

namespace {

using xcl::sim::HostFailure;
using xcl::sim::Machine;
using xcl::sim::Options;

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

void raiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const Options& options) {
  // A machine that nobody can stop any more is of no use; the sockets are taken away, as by a person.
  if (!options.isDetached) prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  raiseFileLimit();
  try {
    Machine machine(options);
    std::puts("ready");
    // Nobody is there to read it: whoever started the machine was gone before it could be told of that.
    if (std::fflush(stdout) != 0 && !options.isDetached) return kFailed;
    return machine.run();
  } catch (const HostFailure& failure) {
    std::fprintf(stderr, "xcl-simulator: %s: %s\n", failure.tried.c_str(),
                 xcl::sim::errnoName(failure.error).c_str());
    return kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = xcl::sim::parseOptions({argv + 1, static_cast<size_t>(argc - 1)});
    if (!options.wantsHelp) return run(options);
    std::fputs(xcl::sim::kUsage, stdout);
    return 0;
  } catch (const std::invalid_argument& mistake) {
    std::fprintf(stderr, "xcl-simulator: %s\n", mistake.what());
    return kBadUsage;
  }
}
