// libxenforeignmemory: pages of domains, by their frames (xenforeignmemory.h).
#include "stock_host.h"

extern "C" {
#include <xenforeignmemory.h>
}

using xcl::stock::called;
using xcl::stock::StockHost;

extern "C" {

xenforeignmemory_handle* xenforeignmemory_open(xentoollog_logger*, unsigned) {
  return called<xenforeignmemory_handle*>(
      nullptr, [](StockHost& host) { return reinterpret_cast<xenforeignmemory_handle*>(&host); });
}

int xenforeignmemory_close(xenforeignmemory_handle*) { return 0; }

// Stock daemons map a ring: one page.
void* xenforeignmemory_map(xenforeignmemory_handle*, uint32_t domid, int, size_t pages, const xen_pfn_t frames[],
                           int errors[]) {
  if (pages != 1) {
    errno = ENOSYS;
    return nullptr;
  }
  void* const page =
      called<void*>(nullptr, [&](StockHost& host) { return host.keep(host.machine().mapFrame(domid, frames[0])); });
  if (errors != nullptr) errors[0] = page == nullptr ? -errno : 0;
  return page;
}

int xenforeignmemory_unmap(xenforeignmemory_handle*, void* address, size_t) {
  return called(-1, [&](StockHost& host) {
    if (host.drop(address)) return 0;
    errno = EINVAL;
    return -1;
  });
}

}  // extern "C"
