// The floor: a single-threaded epoll server that frames XenStore's messages and answers each with a reply of
// the size that a store would answer with, and stores nothing.
//
//   floor SOCKET SIMULATOR
//
// Says a line once it listens, and ends with who started it.
#include <cstdio>
#include <exception>

#include "../../process_start.h"
#include "server.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: floor SOCKET SIMULATOR\n");
    return 2;
  }
  xcl::bench::endWithStarter();
  xcl::bench::raiseFileLimit();
  try {
    xcl::peers::Server server(argv[1], argv[2]);
    std::puts("listens");
    std::fflush(stdout);
    server.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "floor: %s\n", error.what());
    return 1;
  }
}
