#include "hypercalls.h"

#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "machine.h"

namespace xcl::sim {

namespace {

constexpr size_t kMostDescriptors = 5;

template <typename T>
void append(std::vector<std::byte>& to, const T* from, size_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  to.insert(to.end(), bytes, bytes + count * sizeof(T));
}

// What does not fit into the type of a domid, a port or a reference is nobody's.
uint32_t narrowed(uint64_t value) { return value > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(value); }

/** Whose back end's an interface is, by its name `vifDOMID.INDEX`; dom0 for all others. */
uint32_t ownerOf(std::string_view interface) {
  constexpr std::string_view kPrefix = "vif";
  if (!interface.starts_with(kPrefix)) return kDom0;
  interface.remove_prefix(kPrefix.size());
  uint32_t domid = 0;
  const auto [end, error] = std::from_chars(interface.data(), interface.data() + interface.size(), domid);
  const bool isName = error == std::errc() && end != interface.data() + interface.size() && *end == '.';
  return isName ? domid : kDom0;
}

}  // namespace

Hypercalls::Hypercalls(Machine& machine) : machine_(machine), builder_(machine), message_(kMaxMessage) {}

const Hypercalls::Call& Hypercalls::callOf(Op op) {
  constexpr bool kNeedsEvents = true;
  constexpr bool kText = true;
  static const std::array<Call, 26> kCalls = {{
      {},
      {&Hypercalls::hello},
      {&Hypercalls::openMachine},
      {&Hypercalls::host},
      {&Hypercalls::list},
      {&Hypercalls::changed},
      {&Hypercalls::pause},
      {&Hypercalls::unpause},
      {&Hypercalls::destroy},
      {&Hypercalls::readConsole},
      {&Hypercalls::create, false, kText},
      {&Hypercalls::prepare, false, kText},
      {&Hypercalls::build, false, kText},
      {&Hypercalls::mapGrant, kNeedsEvents},
      {&Hypercalls::mapFrame, kNeedsEvents},
      {&Hypercalls::mapSelf, kNeedsEvents},
      {&Hypercalls::unmap, kNeedsEvents},
      {&Hypercalls::bind, kNeedsEvents},
      {&Hypercalls::bindVirq, kNeedsEvents},
      {&Hypercalls::unbind, kNeedsEvents},
      {&Hypercalls::joinBridge, false, kText},
      {&Hypercalls::openDisk, false, kText},
      {&Hypercalls::closeDisk, false, kText},
      {&Hypercalls::reopenMachine, kNeedsEvents},
      {&Hypercalls::adoptPort, kNeedsEvents},
      {&Hypercalls::isBound, kNeedsEvents},
  }};
  static_assert(static_cast<size_t>(Op::kIsBound) + 1 == std::tuple_size_v<decltype(kCalls)>);
  const auto index = static_cast<size_t>(op);
  return kCalls[index < kCalls.size() ? index : 0];
}

bool Hypercalls::serve(Handle& handle) {
  const ssize_t got = recv(handle.fd(), message_.data(), message_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  const auto bytes = static_cast<size_t>(got);
  if (bytes == 0) return false;
  Request request;
  if (bytes < sizeof(request) || bytes > message_.size()) return false;
  std::memcpy(&request, message_.data(), sizeof(request));
  const char* const behind = reinterpret_cast<const char*>(message_.data()) + sizeof(request);
  const std::string_view text(behind, bytes - sizeof(request));
  const Call& call = callOf(request.op);
  if (call.run == nullptr || request.textBytes != text.size() || call.hasText == text.empty() ||
      (call.needsEvents && !handle.hasEvents()) || handle.isGreeted == (request.op == Op::kHello)) {
    return false;
  }
  count_++;
  answer_.clear();
  try {
    (this->*call.run)(handle, request, text, answer_);
    return send(handle.fd(), 0, answer_);
  } catch (const Malformed&) {
    return false;
  } catch (const HostFailure& failure) {
    if (failure.error == Faults::kKillsCaller) {
      killCaller(handle.fd());
      return false;
    }
    answer_.clear();
    append(answer_.payload, failure.op.c_str(), failure.op.size() + 1);
    append(answer_.payload, failure.tried.c_str(), failure.tried.size() + 1);
    return send(handle.fd(), failure.error, answer_);
  }
}

void Hypercalls::killCaller(int fd) {
  ucred caller{};
  socklen_t length = sizeof(caller);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &length) == 0 && caller.pid > 0) kill(caller.pid, SIGKILL);
}

bool Hypercalls::send(int fd, int error, const Answer& answer) {
  Reply reply;
  reply.error = error;
  reply.payloadBytes = static_cast<uint32_t>(answer.payload.size());
  std::copy(std::begin(answer.results), std::end(answer.results), reply.results);
  auto* const payload = const_cast<std::byte*>(answer.payload.data());
  std::array<iovec, 2> parts{{{&reply, sizeof(reply)}, {payload, answer.payload.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostDescriptors)> control{};
  if (!answer.descriptors.empty()) {
    const size_t size = answer.descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), answer.descriptors.data(), size);
  }
  // A caller waits for its answer; one that has sent so much that there is no room for it does not.
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

std::vector<std::string> Hypercalls::stringsIn(const char* op, std::string_view text, size_t count) {
  std::vector<std::string> strings;
  for (size_t end = text.find('\0'); end != std::string_view::npos; end = text.find('\0')) {
    strings.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) throw Malformed{};
  if (strings.size() != count) {
    throw HostFailure{op, EINVAL, std::to_string(strings.size()) + " texts instead of " + std::to_string(count)};
  }
  return strings;
}

CreateArgs Hypercalls::argsIn(std::string_view& text) {
  CreateArgs args;
  if (text.size() < sizeof(args)) throw Malformed{};
  std::memcpy(&args, text.data(), sizeof(args));
  text.remove_prefix(sizeof(args));
  return args;
}

Domain& Hypercalls::domainOf(const char* op, uint32_t domid, const char* tried) {
  Domain* found = machine_.domains().find(domid);
  if (found == nullptr) throw HostFailure{op, ESRCH, tried};
  machine_.faults().check(op, domid, tried);
  return *found;
}

void Hypercalls::hello(Handle& handle, const Request& request, std::string_view, Answer&) {
  if (request.args[0] != kProtocolVersion) {
    throw HostFailure{"hello", EPROTO, "the machine speaks version " + std::to_string(kProtocolVersion)};
  }
  handle.isGreeted = true;
}

void Hypercalls::openMachine(Handle& handle, const Request&, std::string_view, Answer& answer) {
  if (handle.hasEvents()) throw Malformed{};
  giveDescriptors(handle.openEvents(), answer);
}

void Hypercalls::giveDescriptors(const Handle::Events& events, Answer& answer) {
  const auto& [in, out] = events;
  answer.descriptors = {machine_.pages().fd(), in.memoryFd(), in.eventFd(), out.memoryFd(), out.eventFd()};
}

void Hypercalls::host(Handle&, const Request&, std::string_view, Answer& answer) {
  const HostFacts facts = machine_.facts();
  append(answer.payload, &facts, 1);
}

void Hypercalls::list(Handle&, const Request& request, std::string_view, Answer& answer) {
  if (request.args[1] > kListedAtOnce) throw Malformed{};
  if (request.args[1] > 1) listings_++;
  const DomainTable& domains = machine_.domains();
  uint32_t domid = domains.atOrAfter(narrowed(request.args[0]));
  for (uint64_t i = 0; i < request.args[1] && domid != DomainTable::kNone; i++) {
    const DomainFacts facts = domains.find(domid)->facts();
    append(answer.payload, &facts, 1);
    domid = domains.atOrAfter(domid + 1);
  }
}

void Hypercalls::changed(Handle&, const Request&, std::string_view, Answer& answer) {
  if (!machine_.tellsChanged()) throw HostFailure{"get_domain_state", ENOSYS, "this Xen does not say what changed"};
  facts_.resize(kListedAtOnce);
  append(answer.payload, facts_.data(), machine_.domains().takeChanged(facts_));
}

void Hypercalls::pause(Handle&, const Request& request, std::string_view, Answer&) {
  domainOf("domain_pause", request.domid, "cannot pause").pause();
}

void Hypercalls::unpause(Handle&, const Request& request, std::string_view, Answer&) {
  domainOf("domain_unpause", request.domid, "cannot unpause").unpause();
}

void Hypercalls::destroy(Handle&, const Request& request, std::string_view, Answer&) {
  domainOf("domain_destroy", request.domid, "cannot destroy").kill();
}

void Hypercalls::readConsole(Handle&, const Request& request, std::string_view, Answer& answer) {
  machine_.faults().check("readconsolering", kDom0, "cannot read Xen's console");
  uint32_t next = 0;
  const std::string_view text = machine_.console().read(static_cast<uint32_t>(request.args[0]), next);
  append(answer.payload, text.data(), text.size());
  answer.results[0] = next;
}

void Hypercalls::create(Handle&, const Request&, std::string_view text, Answer& answer) {
  const CreateArgs args = argsIn(text);
  if (!text.empty()) throw Malformed{};
  answer.results[0] = builder_.create(args);
}

void Hypercalls::prepare(Handle&, const Request& request, std::string_view text, Answer& answer) {
  const CreateArgs args = argsIn(text);
  if (!text.empty()) throw Malformed{};
  Domain* domain = machine_.domains().find(request.domid);
  if (domain == nullptr) throw HostFailure{"domain_max_vcpus", ESRCH, "cannot have vcpus"};
  const std::array<uint32_t, 2> ports = builder_.prepare(*domain, args);
  answer.results[0] = ports[0];
  answer.results[1] = ports[1];
}

void Hypercalls::build(Handle&, const Request& request, std::string_view text, Answer& answer) {
  const CreateArgs args = argsIn(text);
  const std::vector<std::string> strings = stringsIn("dom_boot_xen_init", text, 3);
  Domain* domain = machine_.domains().find(request.domid);
  if (domain == nullptr) throw HostFailure{"dom_boot_xen_init", ESRCH, "cannot begin to build"};
  const std::array<uint64_t, 2> frames = builder_.build(*domain, args, {strings[0], strings[1], strings[2]});
  answer.results[0] = frames[0];
  answer.results[1] = frames[1];
}

void Hypercalls::mapGrant(Handle& handle, const Request& request, std::string_view, Answer& answer) {
  const char* op = "gnttab_map_grant_ref";
  const std::string tried = "cannot map grant " + std::to_string(request.args[0]);
  machine_.faults().check(op, request.domid, tried);
  Domain* domain = machine_.domains().find(request.domid);
  // Xen has no other word for this where it maps grants.
  if (domain == nullptr) throw HostFailure{op, EINVAL, tried};
  answer.results[0] = handle.hold(domain->mapGranted(narrowed(request.args[0]), kDom0, true));
}

void Hypercalls::mapFrame(Handle& handle, const Request& request, std::string_view, Answer& answer) {
  const std::string tried = "cannot map frame " + std::to_string(request.args[0]);
  Domain& domain = domainOf("foreignmemory_map", request.domid, tried.c_str());
  answer.results[0] = handle.hold(domain.mapForeign(request.args[0]));
}

void Hypercalls::mapSelf(Handle& handle, const Request&, std::string_view, Answer& answer) {
  Domain& dom0 = *machine_.domains().find(kDom0);
  answer.results[0] = handle.hold(dom0.mapForeign(dom0.memory().frameOf(dom0.start().storePfn)));
  answer.results[1] = dom0.start().storePort;
}

void Hypercalls::unmap(Handle& handle, const Request& request, std::string_view, Answer&) {
  if (!handle.drop(request.args[0])) {
    throw HostFailure{"gnttab_unmap", EINVAL, "page " + std::to_string(request.args[0]) + " is not mapped"};
  }
}

void Hypercalls::bind(Handle& handle, const Request& request, std::string_view, Answer& answer) {
  const std::string tried = "cannot bind event channel (remote port " + std::to_string(request.args[0]) + ")";
  domainOf("evtchn_bind_interdomain", request.domid, tried.c_str());
  const uint32_t port = handle.bind(request.domid, narrowed(request.args[0]));
  answer.results[0] = port;
  answer.results[1] = port;
}

void Hypercalls::bindVirq(Handle& handle, const Request& request, std::string_view, Answer& answer) {
  const uint32_t virq = narrowed(request.args[0]);
  machine_.faults().check("evtchn_bind_virq", kDom0, "cannot bind VIRQ " + std::to_string(virq));
  answer.results[0] = handle.bindVirq(virq);
  if (virq == kVirqDomExc) machine_.domains().resetChanged();
}

void Hypercalls::unbind(Handle& handle, const Request& request, std::string_view, Answer&) {
  if (!handle.unbind(narrowed(request.args[0]))) {
    throw HostFailure{"evtchn_unbind", ENOTCONN, "port " + std::to_string(request.args[0]) + " is not bound"};
  }
}

void Hypercalls::isBound(Handle&, const Request& request, std::string_view, Answer& answer) {
  const uint32_t port = narrowed(request.args[0]);
  answer.results[0] = machine_.channels().isBound(kDom0, port, request.domid, narrowed(request.args[1])) ? 1 : 0;
}

void Hypercalls::joinBridge(Handle&, const Request&, std::string_view text, Answer&) {
  const std::vector<std::string> names = stringsIn("join_bridge", text, 2);
  machine_.faults().check("join_bridge", ownerOf(names[0]), "cannot make " + names[0] + " a port of " + names[1]);
  machine_.world().dom0Devices().joinBridge(names[0], names[1]);
}

void Hypercalls::openDisk(Handle&, const Request& request, std::string_view text, Answer& answer) {
  const std::vector<std::string> names = stringsIn("open_disk", text, 1);
  machine_.faults().check("open_disk", kDom0, "cannot open " + names[0] + " as a disk");
  answer.results[0] = machine_.world().dom0Devices().openDisk(names[0], request.args[0] != 0);
}

void Hypercalls::closeDisk(Handle&, const Request& request, std::string_view text, Answer&) {
  const std::vector<std::string> names = stringsIn("close_disk", text, 1);
  machine_.world().dom0Devices().closeDisk(narrowed(request.args[0]), names[0]);
}

void Hypercalls::reopenMachine(Handle& handle, const Request&, std::string_view, Answer& answer) {
  handle.dropAll();
  giveDescriptors(handle.events(), answer);
}

void Hypercalls::adoptPort(Handle& handle, const Request& request, std::string_view, Answer& answer) {
  if (!handle.hasPort(narrowed(request.args[0]))) {
    throw HostFailure{"evtchn_adopt", ENOTCONN, "port " + std::to_string(request.args[0]) + " is not bound"};
  }
  answer.results[0] = request.args[0];
}

}  // namespace xcl::sim
