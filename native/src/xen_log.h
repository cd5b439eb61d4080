// Where the libxen* libraries say what went wrong.
#pragma once

extern "C" {
#include <xentoollog.h>
}

#include <string>

namespace xcl {

/**
 * A xentoollog logger that prints nothing: it keeps the last error that a library reported on this
 * thread, which says more than an errno does.
 */
class XenLog {
 public:
  XenLog();
  XenLog(const XenLog&) = delete;
  XenLog& operator=(const XenLog&) = delete;

  xentoollog_logger* logger() { return &logger_; }

  /** Forgets what this thread has heard, and errno. */
  static void clear();
  /** What this thread has heard since, in brackets after a blank; empty if nothing. */
  static std::string heard();

 private:
  static void onMessage(xentoollog_logger*, xentoollog_level level, int error, const char* context,
                        const char* format, va_list arguments);

  xentoollog_logger logger_;
};

}  // namespace xcl
