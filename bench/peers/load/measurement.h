// What one measurement has found.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace xcl::peers {

/** Nanoseconds of single operations. */
class Latencies {
 public:
  void add(uint64_t ns) { ns_.push_back(static_cast<uint32_t>(ns < UINT32_MAX ? ns : UINT32_MAX)); }
  size_t count() const { return ns_.size(); }
  /** `{"p50":…,"p90":…,"p99":…,"max":…}` in microseconds. Sorts. */
  std::string json();

 private:
  double at(double share) const;

  std::vector<uint32_t> ns_;
};

struct Measurement {
  uint64_t operations = 0;
  double seconds = 0;
  /** CPU time of the daemon in the meantime, all its threads. */
  double cpuSeconds = 0;
  /** Transactions that were answered EAGAIN and done anew. */
  uint64_t retries = 0;
  Latencies latencies;

  /** One line. */
  std::string json();
};

/** The time that passes, and the CPU time that a process has used meanwhile. */
class Stopwatch {
 public:
  explicit Stopwatch(int pid);
  void begin();
  /** Puts what has passed since `begin` into the measurement, added to what there is. */
  void end(Measurement& into) const;

 private:
  uint64_t cpuNs() const;

  clockid_t clock_{};
  uint64_t atNs_ = 0;
  uint64_t cpuAtNs_ = 0;
};

}  // namespace xcl::peers
