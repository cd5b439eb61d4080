#include "measurement.h"

#include <algorithm>
#include <cstdio>

#include "deadline.h"
#include "failure.h"

namespace xcl::peers {

std::string Latencies::json() {
  std::sort(ns_.begin(), ns_.end());
  char text[160];
  std::snprintf(text, sizeof text, R"({"p50":%.3f,"p90":%.3f,"p99":%.3f,"max":%.3f})", at(0.5), at(0.9), at(0.99),
                at(1));
  return text;
}

double Latencies::at(double share) const {
  if (ns_.empty()) return 0;
  const auto place = static_cast<size_t>(share * static_cast<double>(ns_.size()));
  return ns_[std::min(place, ns_.size() - 1)] / 1e3;
}

std::string Measurement::json() {
  char text[200];
  std::snprintf(text, sizeof text, R"({"operations":%llu,"seconds":%.6f,"cpuSeconds":%.6f,"retries":%llu,"latencyUs":)",
                static_cast<unsigned long long>(operations), seconds, cpuSeconds,
                static_cast<unsigned long long>(retries));
  return text + latencies.json() + "}";
}

Stopwatch::Stopwatch(int pid) {
  if (clock_getcpuclockid(pid, &clock_) != 0) throw Failed("the daemon is not there");
}

void Stopwatch::begin() {
  cpuAtNs_ = cpuNs();
  atNs_ = nowNs();
}

void Stopwatch::end(Measurement& into) const {
  into.seconds += static_cast<double>(nowNs() - atNs_) / 1e9;
  into.cpuSeconds += static_cast<double>(cpuNs() - cpuAtNs_) / 1e9;
}

uint64_t Stopwatch::cpuNs() const {
  timespec used{};
  if (clock_gettime(clock_, &used) != 0) throw Failed("the daemon has ended");
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace xcl::peers
