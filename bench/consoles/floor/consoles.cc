#include "consoles.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <system_error>

namespace xcl::bench {

namespace {

constexpr size_t kPortsAtOnce = 1024;
/** As domain builders leave it in the grant table. */
constexpr uint32_t kConsoleGrant = 0;
constexpr mode_t kLogMode = 0644;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

void Consoles::add(uint32_t domid, uint32_t remotePort, const std::string& name) {
  const std::string path = logDir_ + "/guest-" + name + ".log";
  Console console;
  console.page = machine_.mapGrant(domid, kConsoleGrant);
  console.log = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kLogMode));
  if (!console.log.isOpen()) fail(path);
  const uint32_t port = machine_.bind(domid, remotePort);
  if (port >= consoles_.size()) consoles_.resize(port + 1);
  consoles_[port] = std::move(console);
}

void Consoles::run() {
  std::array<uint32_t, kPortsAtOnce> ports{};
  for (;;) {
    pollfd pending{machine_.pendingFd(), POLLIN, 0};
    if (::poll(&pending, 1, -1) < 0) fail("poll");
    const size_t count = machine_.readPending(ports);
    for (size_t i = 0; i < count; i++) {
      if (ports[i] < consoles_.size() && consoles_[ports[i]].page != nullptr) serve(ports[i], consoles_[ports[i]]);
    }
    machine_.unmask(std::span(ports).first(count));
  }
}

void Consoles::serve(uint32_t port, const Console& console) {
  RingReader reader(console.page->data(), kConsoleOutput);
  if (!reader.look() || reader.available() == 0) return;
  const uint32_t count = reader.available();
  reader.peek(0, bytes_.data(), count);
  if (::write(console.log.get(), bytes_.data(), count) != static_cast<ssize_t>(count)) fail("write");
  reader.consume(count);
  machine_.notify(port);
}

}  // namespace xcl::bench
