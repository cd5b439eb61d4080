#include "xen_log.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace xcl {

namespace {

thread_local std::string lastError;

// "panic: FILE.c:LINE: FUNCTION: what happened" to what happened.
std::string withoutPlace(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::string_view kPanic = "panic: ";
  if (!text.starts_with(kPanic)) return text;
  const size_t line = text.find(": ", kPanic.size());
  const size_t function = line == std::string::npos ? line : text.find(": ", line + 2);
  return function == std::string::npos ? text : text.substr(function + 2);
}

}  // namespace

XenLog::XenLog() : logger_{onMessage, nullptr, nullptr} {}

void XenLog::clear() {
  lastError.clear();
  errno = 0;
}

std::string XenLog::heard() { return lastError.empty() ? "" : " (" + lastError + ")"; }

void XenLog::onMessage(xentoollog_logger*, xentoollog_level level, int, const char*, const char* format,
                       va_list arguments) {
  if (level < XTL_ERROR) return;
  const int error = errno;
  char text[512];
  vsnprintf(text, sizeof(text), format, arguments);
  lastError = withoutPlace(text);
  errno = error;
}

}  // namespace xcl
