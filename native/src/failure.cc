#include "failure.h"

#include <cstring>
#include <utility>

namespace xcl {

namespace {

std::string sentence(int error, const std::string& tried, std::optional<uint32_t> domid) {
  std::string text;
  if (domid) text = "dom " + std::to_string(*domid) + ": ";
  return text + tried + ": " + errnoName(error);
}

}  // namespace

Failure::Failure(std::string op, int error, const std::string& tried, std::optional<uint32_t> domid)
    : std::runtime_error(sentence(error, tried, domid)), op_(std::move(op)), error_(error), domid_(domid) {}

std::string errnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

}  // namespace xcl
