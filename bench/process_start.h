// What the programs of the benches begin with.
#pragma once

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>

namespace xcl::bench {

/** As many descriptors as may be had: a bench has one for each guest. */
inline void raiseFileLimit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

/** Nothing is left of a bench that was killed: the process ends with who started it. */
inline void endWithStarter() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace xcl::bench
