// libxenevtchn: event channels of this process (xenevtchn.h says what each call does).
#include "stock_host.h"

extern "C" {
#include <xenevtchn.h>
}

using xcl::stock::called;
using xcl::stock::StockHost;

namespace {

xenevtchn_handle* handleOf(StockHost& host) { return reinterpret_cast<xenevtchn_handle*>(&host.events()); }

}  // namespace

extern "C" {

xenevtchn_handle* xenevtchn_open(xentoollog_logger*, unsigned int) {
  return called<xenevtchn_handle*>(nullptr, handleOf);
}

// Only a daemon that takes another one's place in the same process asks for this.
xenevtchn_handle* xenevtchn_fdopen(xentoollog_logger*, int, unsigned) {
  errno = ENOSYS;
  return nullptr;
}

int xenevtchn_close(xenevtchn_handle*) { return 0; }

int xenevtchn_fd(xenevtchn_handle*) {
  return called(-1, [](StockHost& host) { return host.events().fd(); });
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle*, uint32_t domid, evtchn_port_t remotePort) {
  return called(-1, [&](StockHost& host) {
    const uint32_t port = host.machine().bind(domid == DOMID_SELF ? 0 : domid, remotePort);
    host.events().bound(port);
    return static_cast<int>(port);
  });
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle*, unsigned int virq) {
  return called(-1, [&](StockHost& host) { return static_cast<int>(host.machine().bindVirq(virq)); });
}

int xenevtchn_unbind(xenevtchn_handle*, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.machine().unbind(port);
    host.events().unbound(port);
    return 0;
  });
}

int xenevtchn_notify(xenevtchn_handle*, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.machine().notify(port);
    return 0;
  });
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle*) {
  return called(-1, [](StockHost& host) { return static_cast<int>(host.events().take()); });
}

int xenevtchn_unmask(xenevtchn_handle*, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.events().unmask(port);
    return 0;
  });
}

}  // extern "C"
