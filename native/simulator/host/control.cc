#include "control.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "machine.h"

namespace xcl::sim {

namespace {

constexpr size_t kLongestLine = 4096;
// A listener that does not read is let go, not waited for.
constexpr size_t kMostUnsent = 16 << 20;
constexpr size_t kCutFrom = 1 << 20;

std::vector<std::string> wordsOf(const std::string& line) {
  std::vector<std::string> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

Control::Control(Machine& machine, UniqueFd fd) : machine_(machine), fd_(std::move(fd)) {
  machine_.loop().add(fd_.get(), EPOLLIN, *this);
}

Control::~Control() { close(); }

void Control::close() {
  if (isClosed()) return;
  machine_.loop().remove(fd_.get(), *this);
  machine_.news().remove(*this);
  fd_.reset();
}

void Control::onReady(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if (!isClosed() && (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) readLines();
}

void Control::readLines() {
  std::array<char, kLongestLine> piece{};
  const ssize_t got = recv(fd_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  input_.append(piece.data(), static_cast<size_t>(got));
  size_t begin = 0;
  for (size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n', begin)) {
    answer(input_.substr(begin, end - begin));
    begin = end + 1;
  }
  input_.erase(0, begin);
  if (input_.size() > kLongestLine) close();
}

void Control::answer(const std::string& line) {
  const std::vector<std::string> words = wordsOf(line);
  if (words.empty()) return;
  if (words[0] == "listen") {
    if (!isListening_) machine_.news().add(*this);
    isListening_ = true;
    return hear("ok");
  }
  try {
    for (const std::string& said : machine_.commands().run(words)) hear(said);
    hear("ok");
  } catch (const HostFailure& failure) {
    hear("error " + failure.tried);
  }
}

void Control::hear(const std::string& line) {
  output_ += line;
  output_ += '\n';
}

void Control::flush() {
  if (isClosed() || output_.empty()) return;
  const ssize_t count = send(fd_.get(), output_.data() + sent_, output_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) return close();
  if (count > 0) sent_ += static_cast<size_t>(count);
  if (output_.size() - sent_ > kMostUnsent) return close();
  // The front is cut off seldom: each time all that is behind it moves.
  if (sent_ == output_.size() || sent_ > kCutFrom) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  if (waitsForRoom_ == output_.empty()) {
    waitsForRoom_ = !output_.empty();
    machine_.loop().change(fd_.get(), waitsForRoom_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
  }
}

void Controls::flush() {
  for (const auto& control : controls_) control->flush();
  std::erase_if(controls_, [](const auto& control) { return control->isClosed(); });
}

}  // namespace xcl::sim
