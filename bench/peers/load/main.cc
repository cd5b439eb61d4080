// Load for a store daemon: the raw protocol over its unix socket, one thread.
//
//   load SOCKET PID
//
// One command a line on standard input, one JSON object a line on standard output: what was measured, or
// {"failed":"…"}, or {"tooSlow":"…"}. What a command has populated the store with stays until the end.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "../../process_start.h"
#include "failure.h"
#include "session.h"

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) >= ' ') out.push_back(c);
  }
  return out + "\"";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: load SOCKET PID\n");
    return 2;
  }
  xcl::bench::raiseFileLimit();
  xcl::peers::Session session({argv[1], std::atoi(argv[2])});
  for (std::string line; std::getline(std::cin, line);) {
    std::string said;
    try {
      said = session.run(xcl::peers::Arguments(line));
    } catch (const xcl::peers::Failed& failed) {
      said = "{\"failed\":" + quoted(failed.what()) + "}";
    } catch (const xcl::peers::TooSlow& slow) {
      said = "{\"tooSlow\":" + quoted(slow.what()) + "}";
    }
    std::cout << said << std::endl;
  }
  return 0;
}
