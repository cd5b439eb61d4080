#include "news.h"

#include <algorithm>

namespace xcl::sim {

void News::say(const std::string& line) {
  if (listeners_.empty()) return;
  // A guest chooses what is in it: one piece of news stays one line.
  std::string plain = line;
  std::replace_if(plain.begin(), plain.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  for (NewsListener* listener : listeners_) listener->hear(plain);
}

}  // namespace xcl::sim
