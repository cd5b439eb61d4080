#include "one_cpu.h"

#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace xcl::peers {

namespace {

/** None when there is no such process any more, which the request that is to come will say. */
std::vector<int> threadsOf(int pid) {
  std::vector<int> threads;
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/" + std::to_string(pid) + "/task", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename();
    int thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    threads.push_back(thread);
  }
  return threads;
}

}  // namespace

OneCpu::OneCpu(int pid) : pid_(pid) {
  sched_getaffinity(0, sizeof ours_, &ours_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  for (const int thread : threadsOf(pid_)) {
    cpu_set_t before;
    // A thread may have ended meanwhile.
    if (sched_getaffinity(thread, sizeof before, &before) != 0) continue;
    theirs_[thread] = before;
    sched_setaffinity(thread, sizeof one, &one);
  }
}

OneCpu::~OneCpu() {
  sched_setaffinity(0, sizeof ours_, &ours_);
  const auto first = theirs_.find(pid_);
  for (const int thread : threadsOf(pid_)) {
    // Who was started meanwhile has inherited the one processor, and is to have what the first thread has.
    const auto known = theirs_.find(thread);
    const auto& before = known == theirs_.end() ? first : known;
    if (before != theirs_.end()) sched_setaffinity(thread, sizeof before->second, &before->second);
  }
}

}  // namespace xcl::peers
