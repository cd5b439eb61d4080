// The floor: takes what guests print out of their rings and writes it to their logs, and does nothing else. One
// descriptor for all event channels, one write for each ring that is drained, all logs open.
//
//   floor SIMULATOR LOGDIR < lines `domid port name`
//
// Says a line once it serves all of them, and ends with who started it.
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "../../process_start.h"
#include "consoles.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: floor SIMULATOR LOGDIR\n");
    return 2;
  }
  xcl::bench::endWithStarter();
  xcl::bench::raiseFileLimit();
  try {
    xcl::bench::Consoles consoles(argv[1], argv[2]);
    uint32_t domid = 0;
    uint32_t port = 0;
    std::string name;
    while (std::cin >> domid >> port >> name) consoles.add(domid, port, name);
    std::puts("serves");
    std::fflush(stdout);
    consoles.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "floor: %s\n", error.what());
    return 1;
  }
}
