#include "xen_console.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr uint32_t kRingBytes = 32 * 1024;
constexpr uint32_t kReadAtOnce = 16 * 1024;

}  // namespace

XenConsole::XenConsole(std::function<void()> added) : added_(std::move(added)), ring_(kRingBytes) {}

void XenConsole::logTo(const std::string& path) {
  log_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log_.isOpen()) throw HostFailure{"open", errno, "cannot write to " + path};
}

void XenConsole::print(const std::string& line) {
  const std::string text = "(XEN) " + line + "\n";
  for (const char letter : text) ring_[end_++ % kRingBytes] = letter;
  // A full disk takes nothing from the machine: the ring has the text.
  if (log_.isOpen() && ::write(log_.get(), text.data(), text.size()) < 0) log_.reset();
  added_();
}

std::string_view XenConsole::read(uint32_t index, uint32_t& nextIndex) {
  const auto end = static_cast<uint32_t>(end_);
  const auto kept = static_cast<uint32_t>(std::min<uint64_t>(end_, kRingBytes));
  // The index runs over one day; one from nowhere, or from long ago, reads all there is.
  const uint32_t available = std::min(end - index, kept);
  const uint32_t from = end - available;
  const uint32_t count = std::min(available, kReadAtOnce);
  piece_.clear();
  for (uint32_t i = 0; i < count; i++) piece_ += ring_[(from + i) % kRingBytes];
  nextIndex = from + count;
  return piece_;
}

}  // namespace xcl::sim
