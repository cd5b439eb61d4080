// One connection to the control socket: commands come as lines, answers go as lines, the last one `ok` or
// `error SENTENCE`. One that listens gets the news, too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "event_loop.h"
#include "news.h"

namespace xcl::sim {

class Machine;

class Control : public Watcher, public NewsListener {
 public:
  Control(Machine& machine, UniqueFd fd);
  ~Control() override;
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  void onReady(uint32_t events) override;
  void hear(const std::string& line) override;
  void flush();
  bool isClosed() const { return !fd_.isOpen(); }

 private:
  void readLines();
  void answer(const std::string& line);
  void close();

  Machine& machine_;
  UniqueFd fd_;
  std::string input_;
  std::string output_;
  /** Bytes of it that have gone out. */
  size_t sent_ = 0;
  bool isListening_ = false;
  bool waitsForRoom_ = false;
};

/** All control connections. */
class Controls {
 public:
  explicit Controls(Machine& machine) : machine_(machine) {}
  void add(UniqueFd fd) { controls_.push_back(std::make_unique<Control>(machine_, std::move(fd))); }
  /** Sends what is to be said and forgets who has gone. */
  void flush();

 private:
  Machine& machine_;
  std::vector<std::unique_ptr<Control>> controls_;
};

}  // namespace xcl::sim
