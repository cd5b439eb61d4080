#include "xen_handle.h"

#include <cerrno>

#include "failure.h"

namespace xcl {

XenHandle::XenHandle() {
  XenLog::clear();
  handle_.reset(xc_interface_open(log_.logger(), log_.logger(), 0));
  if (!handle_) {
    throw Failure("interface_open", errno, "cannot open /dev/xen/privcmd; is this a Xen host, and are you root?");
  }
}

void XenHandle::check(int status, const char* op, const std::string& tried, std::optional<uint32_t> domid,
                      int otherwise) {
  if (status >= 0) return;
  const int error = errno != 0 ? errno : otherwise;
  throw Failure(op, error, tried + XenLog::heard(), domid);
}

}  // namespace xcl
