#include "console.h"

#include <algorithm>
#include <utility>

#include "../../../src/shared_ring.h"

namespace xcl::sim {

namespace {

/** The real test guest's buffer; what is longer is cut. */
constexpr size_t kLineMax = 511;

}  // namespace

void Console::attach(GuestMachine& machine, std::byte* page, uint32_t port) {
  machine_ = &machine;
  page_ = page;
  port_ = port;
}

Console::Print Console::print(std::string_view text) {
  const size_t taken = waitingOutput_.empty() ? put(text) : 0;
  waitingOutput_.append(text.substr(taken));
  return {*this};
}

size_t Console::put(std::string_view text) {
  RingWriter writer(page_, kConsoleOutput);
  // A ring that the daemon broke takes nothing, like a full one: the guest waits, as a real one does.
  if (!writer.look()) return 0;
  const uint32_t taken = writer.put(text.data(), static_cast<uint32_t>(text.size()));
  writer.publish();
  mustNotify_ = true;
  if (printed_ != nullptr) printed_->add(text.substr(0, taken));
  statistics_.bytes += taken;
  statistics_.lines += static_cast<uint64_t>(std::count(text.begin(), text.begin() + taken, '\n'));
  return taken;
}

uint64_t Console::unread() const {
  const uint32_t inRing = loadShared(page_, kConsoleOutput.prod) - loadShared(page_, kConsoleOutput.cons);
  return waitingOutput_.size() + inRing;
}

bool Console::readLine(std::string& line) {
  RingReader reader(page_, kConsoleInput);
  if (!reader.look() || reader.available() == 0) return false;
  const uint32_t available = reader.available();
  char bytes[1024];
  reader.peek(0, bytes, available);
  uint32_t taken = 0;
  bool isComplete = false;
  while (taken < available && !isComplete) {
    const char c = bytes[taken++];
    // A terminal sends CR for its return key, a script LF, some both: empty lines are not lines.
    if (c == '\r' || c == '\n') {
      isComplete = !typed_.empty();
    } else if (typed_.size() < kLineMax) {
      typed_.push_back(c);
    }
  }
  reader.consume(taken);
  mustNotify_ = true;
  if (isComplete) line = std::exchange(typed_, std::string());
  return isComplete;
}

void Console::onEvent() {
  if (waitingOutput_.empty()) return;
  waitingOutput_.erase(0, put(waitingOutput_));
  if (!waitingOutput_.empty()) return;
  std::string().swap(waitingOutput_);
  if (printer_) std::exchange(printer_, nullptr).resume();
}

void Console::notify() {
  if (!mustNotify_) return;
  mustNotify_ = false;
  machine_->notify(port_);
}

}  // namespace xcl::sim
