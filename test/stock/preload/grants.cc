// libxengnttab: pages that domains have granted (xengnttab.h).
#include "stock_host.h"

extern "C" {
#include <xengnttab.h>
}

using xcl::stock::called;
using xcl::stock::StockHost;

extern "C" {

xengnttab_handle* xengnttab_open(xentoollog_logger*, unsigned) {
  return called<xengnttab_handle*>(nullptr,
                                   [](StockHost& host) { return reinterpret_cast<xengnttab_handle*>(&host); });
}

int xengnttab_close(xengnttab_handle*) { return 0; }

int xengnttab_set_max_grants(xengnttab_handle*, uint32_t) { return 0; }

void* xengnttab_map_grant_ref(xengnttab_handle*, uint32_t domid, uint32_t gref, int) {
  return called<void*>(nullptr, [&](StockHost& host) { return host.keep(host.machine().mapGrant(domid, gref)); });
}

int xengnttab_unmap(xengnttab_handle*, void* address, uint32_t) {
  return called(-1, [&](StockHost& host) {
    if (host.drop(address)) return 0;
    errno = EINVAL;
    return -1;
  });
}

}  // extern "C"
