#include "c_text.h"

#include <cerrno>

#include "errors.h"

namespace xcl {

std::string cTextFrom(const Napi::Value& value, const char* op, const std::string& what) {
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) throw Failure(op, EINVAL, what + " must not contain a NUL character");
  return text;
}

}  // namespace xcl
