// Wraps one xc_interface of libxenctrl. Any thread may use it at any time.
#pragma once

extern "C" {
#include <xenctrl.h>
}

#include <memory>
#include <optional>
#include <string>

#include "xen_log.h"

namespace xcl {

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
