// Sockets of the floor: one epoll set, one buffer for all that is read.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace xcl::peers {

class Server {
 public:
  /** @throws std::system_error when it cannot listen there */
  explicit Server(const std::string& socketPath);

  [[noreturn]] void run();

 private:
  struct Client {
    int fd;
    /** The beginning of a message whose rest has not come. */
    std::string kept;
  };

  void accept();
  /** @returns false when the peer has gone */
  bool serve(Client& client);
  /** Answers all whole messages. @returns bytes that they had */
  size_t answerAll(std::string_view bytes);

  int listener_;
  int set_;
  std::string out_;
};

}  // namespace xcl::peers
