// A listening unix socket, and reading and writing of accepted ones. Nothing here blocks.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>

#include "unique_fd.h"

namespace xcl {

/** What a read, write or accept came to. */
enum class SocketResult { kDone, kWouldBlock, kEnded, kNoResources };

/**
 * Listens at a path: mode 0600, an old file replaced. The descriptor closes with the object, the file stays.
 * @throws Failure with EADDRINUSE when somebody still listens there
 */
class UnixListener {
 public:
  explicit UnixListener(const std::string& path);
  /** A socket that listens already. */
  explicit UnixListener(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  /** kNoResources: out of descriptors or memory; ask again later, not at once. */
  SocketResult accept(UniqueFd& accepted) const;

 private:
  UniqueFd fd_;
};

/**
 * @param got bytes read; may be 0 with kWouldBlock and kEnded only
 * @param isAll kDone: nothing more was there, but perhaps the end. Of a stream the kernel gives all that it has, or
 *   all that fits, unless descriptors came with what it gave, which it says.
 */
SocketResult readSocket(int fd, std::span<std::byte> into, size_t& got, bool& isAll);
/** One call for all parts. @param sent bytes the socket took, possibly fewer than there are */
SocketResult writeSocket(int fd, std::span<const iovec> parts, size_t& sent);

}  // namespace xcl
