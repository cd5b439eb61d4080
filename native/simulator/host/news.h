// News of the machine for whoever listens on a control connection: lines `NAME WORD…`.
#pragma once

#include <string>
#include <vector>

#include "guest_machine.h"

namespace xcl::sim {

/** Where lines go. */
class NewsListener {
 public:
  virtual ~NewsListener() = default;
  virtual void hear(const std::string& line) = 0;
};

class News : public GuestNews {
 public:
  void say(const std::string& line) override;
  bool isHeard() const override { return !listeners_.empty(); }
  void add(NewsListener& listener) { listeners_.push_back(&listener); }
  void remove(NewsListener& listener) { std::erase(listeners_, &listener); }

 private:
  std::vector<NewsListener*> listeners_;
};

}  // namespace xcl::sim
