#include "ready.h"

#include <unistd.h>

#include <string_view>

namespace xcl::stock {

namespace {

constexpr int kReadyFd = 3;
constexpr std::string_view kLine = "serves\n";

}  // namespace

void sayReady() {
  static bool isTold = false;
  if (isTold) return;
  isTold = true;
  if (write(kReadyFd, kLine.data(), kLine.size()) > 0) close(kReadyFd);
}

}  // namespace xcl::stock
