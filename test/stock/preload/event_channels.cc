// libxenevtchn: event channels of this process (xenevtchn.h says what each call does), and the wait for them.
#include <dlfcn.h>

#include "ready.h"
#include "stock_host.h"

extern "C" {
#include <xenevtchn.h>
}

using xcl::stock::asked;
using xcl::stock::called;
using xcl::stock::EventHandle;
using xcl::stock::EventHandles;
using xcl::stock::StockHost;

namespace {

EventHandle& of(xenevtchn_handle* handle) { return *reinterpret_cast<EventHandle*>(handle); }

}  // namespace

extern "C" {

xenevtchn_handle* xenevtchn_open(xentoollog_logger*, unsigned int) {
  return called<xenevtchn_handle*>(
      nullptr, [](StockHost& host) { return reinterpret_cast<xenevtchn_handle*>(host.events().open()); });
}

// Only a daemon that takes another one's place in the same process asks for this.
xenevtchn_handle* xenevtchn_fdopen(xentoollog_logger*, int, unsigned) {
  errno = ENOSYS;
  return nullptr;
}

int xenevtchn_close(xenevtchn_handle* handle) {
  if (handle == nullptr) return 0;
  return called(-1, [&](StockHost& host) {
    host.events().close(&of(handle));
    return 0;
  });
}

int xenevtchn_fd(xenevtchn_handle* handle) { return of(handle).fd; }

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle* handle, uint32_t domid,
                                                     evtchn_port_t remotePort) {
  return called(-1, [&](StockHost& host) {
    return static_cast<int>(host.events().bind(of(handle), domid == DOMID_SELF ? 0 : domid, remotePort));
  });
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle* handle, unsigned int virq) {
  return called(-1, [&](StockHost& host) { return static_cast<int>(host.events().bindVirq(of(handle), virq)); });
}

int xenevtchn_unbind(xenevtchn_handle* handle, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.events().unbind(of(handle), port);
    return 0;
  });
}

int xenevtchn_notify(xenevtchn_handle*, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.machine().notify(port);
    return 0;
  });
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle* handle) {
  return called(-1, [&](StockHost& host) { return static_cast<int>(host.events().take(of(handle))); });
}

int xenevtchn_unmask(xenevtchn_handle*, evtchn_port_t port) {
  return called(-1, [&](StockHost& host) {
    host.events().unmask(port);
    return 0;
  });
}

int poll(pollfd* entries, nfds_t count, int timeoutMs) {
  static const auto real = reinterpret_cast<EventHandles::Poll*>(dlsym(RTLD_NEXT, "poll"));
  // A daemon without a socket of its own serves when it waits for the first time.
  xcl::stock::sayReady();
  // What was listed before a wait is old after it.
  return called(-1, [&](StockHost& host) { return host.events().poll(entries, count, timeoutMs, real); });
}

}  // extern "C"
