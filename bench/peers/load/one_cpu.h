// Keeps the load and all threads of the daemon on one processor as long as it lives. With one request under way
// they never run at the same time, and whether a scheduler puts them together or apart makes a factor of five.
#pragma once

#include <sched.h>

#include <map>

namespace xcl::peers {

class OneCpu {
 public:
  explicit OneCpu(int pid);
  ~OneCpu();
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  int pid_;
  cpu_set_t ours_{};
  /** By thread, as it was before. */
  std::map<int, cpu_set_t> theirs_;
};

}  // namespace xcl::peers
