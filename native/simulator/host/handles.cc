#include "handles.h"

namespace xcl::sim {

void Handles::add(UniqueFd fd) {
  const PortOwner number = numbers_.take();
  if (number >= handles_.size()) handles_.resize(number + 1);
  try {
    handles_[number] = std::make_unique<Handle>(machine_, number, std::move(fd));
  } catch (const HostFailure&) {
    numbers_.giveBack(number);
    throw;
  }
}

void Handles::close(Handle& handle) {
  const PortOwner number = handle.number();
  if (!handles_[number]) return;
  handle.release();
  if (handle.isAwake) std::erase(awake_, &handle);
  closed_.push_back(std::move(handles_[number]));
  numbers_.giveBack(number);
}

void Handles::fire(PortOwner owner, uint32_t port) {
  if (owner < handles_.size() && handles_[owner]) handles_[owner]->fire(port);
}

void Handles::wake(Handle& handle) {
  if (handle.isAwake) return;
  handle.isAwake = true;
  awake_.push_back(&handle);
}

bool Handles::deliver() {
  std::erase_if(awake_, [](Handle* handle) {
    handle->isAwake = handle->deliver();
    return !handle->isAwake;
  });
  return !awake_.empty();
}

size_t Handles::portsHeld() const {
  size_t held = 0;
  for (const std::unique_ptr<Handle>& handle : handles_) held += handle ? handle->portsHeld() : 0;
  return held;
}

size_t Handles::pagesHeld() const {
  size_t held = 0;
  for (const std::unique_ptr<Handle>& handle : handles_) held += handle ? handle->pagesHeld() : 0;
  return held;
}

}  // namespace xcl::sim
