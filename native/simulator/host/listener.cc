#include "listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "guest_machine.h"

namespace xcl::sim {

namespace {

constexpr int kBacklog = 128;

UniqueFd openSpare() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

sockaddr_un addressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw HostFailure{"bind", ENAMETOOLONG, "cannot listen at " + path};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/** Takes away what a machine that is no more has left there, and nothing else. */
void removeAbandoned(const std::string& path, const sockaddr_un& address, int type) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) return;
  if (!S_ISSOCK(about.st_mode)) throw HostFailure{"bind", EEXIST, "cannot listen at " + path + ", which is no socket"};
  const UniqueFd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return;
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
}

}  // namespace

Listener::Listener(EventLoop& loop, std::string path, int type, std::function<void(UniqueFd)> accepted)
    : loop_(loop), path_(std::move(path)), accepted_(std::move(accepted)), spare_(openSpare()) {
  const sockaddr_un address = addressOf(path_);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  fd_.reset(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto bound = [&] {
    const mode_t before = umask(0177);
    const int result = ::bind(fd_.get(), generic, sizeof(address)) == 0 ? 0 : errno;
    umask(before);
    return result;
  };
  int error = bound();
  if (error == EADDRINUSE) {
    removeAbandoned(path_, address, type);
    error = bound();
  }
  if (error == 0 && ::listen(fd_.get(), kBacklog) != 0) error = errno;
  if (error != 0) throw HostFailure{"bind", error, "cannot listen at " + path_};
  loop_.add(fd_.get(), EPOLLIN, *this);
}

Listener::~Listener() {
  loop_.remove(fd_.get(), *this);
  ::unlink(path_.c_str());
}

// One connection that cannot be served is dropped; it is not the end of the machine.
void Listener::accept(UniqueFd fd) {
  try {
    accepted_(std::move(fd));
  } catch (const HostFailure&) {
    // Its descriptor is closed by now: the caller hears of it.
  }
}

void Listener::onReady(uint32_t) {
  for (;;) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.isOpen()) {
      accept(std::move(fd));
    } else if (errno == EMFILE || errno == ENFILE) {
      // Without this the caller would wait for ever, and the loop would not.
      spare_.reset();
      UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
      spare_ = openSpare();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

}  // namespace xcl::sim
