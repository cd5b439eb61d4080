#include "one_cpu.h"

namespace xcl::peers {

OneCpu::OneCpu(int pid) : pid_(pid) {
  sched_getaffinity(0, sizeof ours_, &ours_);
  sched_getaffinity(pid_, sizeof theirs_, &theirs_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  sched_setaffinity(pid_, sizeof one, &one);
}

OneCpu::~OneCpu() {
  sched_setaffinity(0, sizeof ours_, &ours_);
  sched_setaffinity(pid_, sizeof theirs_, &theirs_);
}

}  // namespace xcl::peers
