#include "loopback_world.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "failure.h"

namespace xcl {

namespace {

class LoopbackMapping : public MappedPage {
 public:
  LoopbackMapping(std::shared_ptr<LoopbackPage> page, std::shared_ptr<size_t> count)
      : page_(std::move(page)), count_(std::move(count)) {
    ++*count_;
  }
  ~LoopbackMapping() override { --*count_; }
  std::byte* data() const override { return page_->bytes.data(); }

 private:
  std::shared_ptr<LoopbackPage> page_;
  std::shared_ptr<size_t> count_;
};

constexpr uint64_t kSelfPage = 1;

}  // namespace

std::shared_ptr<LoopbackPage> LoopbackWorld::addPage(uint32_t domid, uint64_t number) {
  auto& page = pages_[{domid, number}];
  if (!page) page = std::make_shared<LoopbackPage>();
  return page;
}

uint32_t LoopbackWorld::addPort(uint32_t domid) {
  const uint32_t port = nextPort_++;
  channels_[{domid, port}] = Channel{};
  return port;
}

void LoopbackWorld::removeDomain(uint32_t domid) {
  std::erase_if(pages_, [&](const auto& entry) { return entry.first.first == domid; });
  std::erase_if(channels_, [&](const auto& entry) { return entry.first.first == domid; });
}

void LoopbackWorld::kick(uint32_t domid, uint32_t port) {
  const Channel& channel = channelOf(domid, port);
  if (channel.machine != nullptr) channel.machine->fire(channel.localPort);
}

void LoopbackWorld::fireVirq(uint32_t virq) {
  const auto found = virqs_.find(virq);
  if (found != virqs_.end()) found->second.first->fire(found->second.second);
}

uint32_t LoopbackWorld::takeNotifications(uint32_t domid, uint32_t port) {
  return std::exchange(channelOf(domid, port).notifications, 0);
}

size_t LoopbackWorld::bindings() const {
  return static_cast<size_t>(
      std::count_if(channels_.begin(), channels_.end(), [](const auto& entry) { return entry.second.machine != nullptr; }));
}

std::shared_ptr<LoopbackPage> LoopbackWorld::pageOf(uint32_t domid, uint64_t number, const char* op) const {
  const auto found = pages_.find({domid, number});
  if (found == pages_.end()) throw Failure(op, EINVAL, "cannot map page " + std::to_string(number), domid);
  return found->second;
}

LoopbackWorld::Channel& LoopbackWorld::channelOf(uint32_t domid, uint32_t port) {
  const auto found = channels_.find({domid, port});
  if (found == channels_.end()) {
    throw Failure("evtchn_bind_interdomain", EINVAL,
                  "cannot bind event channel (remote port " + std::to_string(port) + ")", domid);
  }
  return found->second;
}

MachineLoopback::MachineLoopback(std::shared_ptr<LoopbackWorld> world)
    : world_(std::move(world)), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!event_.isOpen()) throw Failure("eventfd", errno, "cannot make an event descriptor");
}

MachineLoopback::~MachineLoopback() {
  for (uint32_t port = 1; port < ports_.size(); port++) unbind(port);
}

std::unique_ptr<MappedPage> MachineLoopback::mapGrant(uint32_t domid, uint32_t gref) {
  return std::make_unique<LoopbackMapping>(world_->pageOf(domid, gref, "gnttab_map_grant_ref"), world_->mappings_);
}

std::unique_ptr<MappedPage> MachineLoopback::mapFrame(uint32_t domid, uint64_t gfn) {
  return std::make_unique<LoopbackMapping>(world_->pageOf(domid, gfn, "foreignmemory_map"), world_->mappings_);
}

std::unique_ptr<MappedPage> MachineLoopback::mapSelf(uint32_t& remotePort) {
  auto page = mapGrant(0, kSelfPage);
  const auto first = std::find_if(world_->channels_.begin(), world_->channels_.end(),
                                  [](const auto& entry) { return entry.first.first == 0; });
  if (first == world_->channels_.end()) throw Failure("open", ENOENT, "cannot find the own XenStore port");
  remotePort = static_cast<uint32_t>(first->first.second);
  return page;
}

uint32_t MachineLoopback::bind(uint32_t domid, uint32_t remotePort) {
  auto& channel = world_->channelOf(domid, remotePort);
  if (channel.machine != nullptr) {
    throw Failure("evtchn_bind_interdomain", EINVAL,
                  "cannot bind event channel (remote port " + std::to_string(remotePort) + ")", domid);
  }
  Port port;
  port.domid = domid;
  port.remotePort = remotePort;
  const uint32_t localPort = addPort(port);
  channel.machine = this;
  channel.localPort = localPort;
  fire(localPort);
  return localPort;
}

uint32_t MachineLoopback::bindVirq(uint32_t virq) {
  if (world_->virqs_.contains(virq)) {
    throw Failure("evtchn_bind_virq", EEXIST, "cannot bind VIRQ " + std::to_string(virq));
  }
  Port port;
  port.isVirq = true;
  port.virq = virq;
  const uint32_t localPort = addPort(port);
  world_->virqs_[virq] = {this, localPort};
  return localPort;
}

uint32_t MachineLoopback::addPort(const Port& port) {
  ports_.push_back(port);
  ports_.back().isBound = true;
  return static_cast<uint32_t>(ports_.size() - 1);
}

void MachineLoopback::unbind(uint32_t localPort) {
  Port& port = ports_[localPort];
  if (!port.isBound) return;
  LoopbackWorld::Channel* const channel = channelOf(localPort);
  port.isBound = false;
  if (port.isVirq) {
    world_->virqs_.erase(port.virq);
    return;
  }
  if (channel != nullptr) channel->machine = nullptr;
}

bool MachineLoopback::isBound(uint32_t domid, uint32_t localPort, uint32_t remotePort) {
  const Port& port = ports_[localPort];
  return port.domid == domid && port.remotePort == remotePort && channelOf(localPort) != nullptr;
}

LoopbackWorld::Channel* MachineLoopback::channelOf(uint32_t localPort) {
  const Port& port = ports_[localPort];
  if (!port.isBound || port.isVirq) return nullptr;
  const auto found = world_->channels_.find({port.domid, port.remotePort});
  if (found == world_->channels_.end()) return nullptr;
  LoopbackWorld::Channel& channel = found->second;
  return channel.machine == this && channel.localPort == localPort ? &channel : nullptr;
}

void MachineLoopback::notify(uint32_t localPort) {
  LoopbackWorld::Channel* const channel = channelOf(localPort);
  if (channel != nullptr) channel->notifications++;
}

void MachineLoopback::fire(uint32_t localPort) {
  Port& port = ports_[localPort];
  if (!port.isBound) return;
  if (port.isMasked) {
    port.isPending = true;
    return;
  }
  port.isMasked = true;
  queue_.push_back(localPort);
  eventfd_write(event_.get(), 1);
}

size_t MachineLoopback::readPending(std::span<uint32_t> ports) {
  eventfd_t ignored = 0;
  eventfd_read(event_.get(), &ignored);
  size_t count = 0;
  for (; count < ports.size() && !queue_.empty(); queue_.pop_front()) ports[count++] = queue_.front();
  if (!queue_.empty()) eventfd_write(event_.get(), 1);
  return count;
}

void MachineLoopback::unmask(std::span<const uint32_t> ports) {
  for (const uint32_t localPort : ports) {
    Port& port = ports_[localPort];
    port.isMasked = false;
    if (std::exchange(port.isPending, false)) fire(localPort);
  }
}

}  // namespace xcl
