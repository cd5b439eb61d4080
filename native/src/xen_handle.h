// Wraps one xc_interface of libxenctrl and the logger it writes to. Any thread may use it at any time.
#pragma once

extern "C" {
#include <xenctrl.h>
#include <xentoollog.h>
}

#include <memory>
#include <optional>
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

class XenHandle {
 public:
  /** @throws Failure when this is no Xen host or the process may not control it */
  XenHandle();

  xc_interface* get() const { return handle_.get(); }

  /**
   * Throws when a call has failed.
   * @param status what the call gave; below 0 is failure
   * @param otherwise the errno to tell when the library has set none
   */
  static void check(int status, const char* op, const std::string& tried, std::optional<uint32_t> domid,
                    int otherwise);

 private:
  struct Closer {
    void operator()(xc_interface* handle) const { xc_interface_close(handle); }
  };

  XenLog log_;
  std::unique_ptr<xc_interface, Closer> handle_;
};

}  // namespace xcl
