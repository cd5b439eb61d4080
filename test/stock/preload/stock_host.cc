#include "stock_host.h"

#include <cstdlib>

namespace xcl::stock {

namespace {

std::string machinePath() {
  const char* const path = std::getenv("XCL_SIMULATOR");
  if (path == nullptr) throw Failure("simulator", ENOENT, "XCL_SIMULATOR does not say where the machine is");
  return path;
}

}  // namespace

StockHost& StockHost::instance() {
  // Not destroyed: the daemon's own exit handlers may still call.
  static StockHost* const host = new StockHost();
  return *host;
}

StockHost::StockHost() : machine_(machinePath()), link_(machinePath()), domains_(link_), events_(machine_) {}

void* StockHost::keep(std::unique_ptr<MappedPage> page) {
  void* const address = page->data();
  pages_.emplace(address, std::move(page));
  return address;
}

bool StockHost::drop(void* address) {
  const auto found = pages_.find(address);
  if (found == pages_.end()) return false;
  pages_.erase(found);
  return true;
}

void* StockHost::ownPage() {
  mapSelf();
  return ownPage_;
}

uint32_t StockHost::ownPort() {
  mapSelf();
  return ownPort_;
}

void StockHost::mapSelf() {
  if (ownPage_ == nullptr) ownPage_ = keep(machine_.mapSelf(ownPort_));
}

}  // namespace xcl::stock
