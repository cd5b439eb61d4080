// Sockets and rings of the floor: one epoll set, one buffer for all that is read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "answers.h"
#include "rings.h"

namespace xcl::peers {

class Server {
 public:
  /** @throws std::system_error when it cannot listen there, Failure without a machine */
  Server(const std::string& socketPath, const std::string& simulatorSocket);

  [[noreturn]] void run();

 private:
  struct Client {
    int fd;
    bool isWatcher;
    /** The beginning of a message whose rest has not come. */
    std::string kept;
  };

  void accept();
  /** @returns false when the peer has gone */
  bool serve(Client& client);
  /** Answers all whole messages. @returns bytes that they had */
  size_t answerAll(Client& client, std::string_view bytes);
  /** What a question does beside its answer. */
  void act(Client& client, const Question& question);
  void addWatcher(Client& client);
  void tellWatchers();
  static void send(Client& client, std::string_view bytes);

  Rings rings_;
  /** Of the one node that has watchers here: the load's fan. */
  std::vector<Client*> watchers_;
  int listener_;
  int set_;
  std::string out_;
};

}  // namespace xcl::peers
