#include "session.h"

#include <chrono>
#include <optional>
#include <thread>

#include "bulk.h"
#include "creation.h"
#include "death.h"
#include "failure.h"
#include "fan_out.h"
#include "one_cpu.h"
#include "transactions.h"

namespace xcl::peers {

namespace {

Op opOf(const std::string& name) {
  if (name == "read") return Op::kRead;
  if (name == "write") return Op::kWrite;
  throw Failed("no operation is called " + name);
}

/** Whether there is one request under way at a time. */
bool isOneByOne(const Arguments& arguments) {
  if (arguments.name() == "busy") return arguments.text("how") != "all";
  if (arguments.name() == "transactions") return arguments.count("clients") == 1;
  return arguments.name() == "create" || (arguments.name() == "children" && arguments.text("step") != "create");
}

}  // namespace

std::string Session::run(const Arguments& arguments) {
  const std::string& name = arguments.name();
  const Bounds bounds{arguments.number("seconds"), arguments.number("limit")};
  const Deadline limit(bounds.limitSeconds);
  std::optional<OneCpu> together;
  if (isOneByOne(arguments)) together.emplace(target_.pid);
  if (name == "busy") return busy(arguments, bounds).json();
  if (name == "transactions") {
    const bool isShared = arguments.text("nodes") == "shared";
    return Transactions(target_, arguments.count("clients"), isShared, limit).measure(bounds).json();
  }
  if (name == "bulk") {
    return Bulk(target_, arguments.count("clients"), limit).measure(arguments.count("depth"), bounds).json();
  }
  if (name == "fan") return FanOut(target_, arguments.count("watchers"), limit).measure(bounds).json();
  if (name == "children") return children(arguments, bounds).json();
  if (name == "create") return create(arguments, bounds).json();
  if (name == "death") {
    if (mortals_.empty()) mortals_ = domainsIn(arguments.text("domains"));
    return Death(target_, arguments.text("control"), limit).measure(mortals_, bounds).json();
  }
  if (name == "wait") return wait(bounds).json();
  if (name == "populate") return populate(arguments, bounds).json();
  throw Failed("no command is called " + name);
}

Measurement Session::busy(const Arguments& arguments, const Bounds& bounds) {
  const Op op = opOf(arguments.text("op"));
  Clients clients(target_, arguments.count("clients"), Deadline(bounds.limitSeconds));
  const std::string& how = arguments.text("how");
  if (how == "all") return clients.allBusy(op, arguments.count("depth"), bounds);
  if (how == "turn") return clients.inTurn(op, bounds);
  if (how == "paced") return clients.paced(op, arguments.number("rate"), bounds);
  throw Failed("clients are not busy like that: " + how);
}

Measurement Session::children(const Arguments& arguments, const Bounds& bounds) {
  const size_t count = arguments.count("count");
  // Put back when all went well: after a failure the connection is of no use.
  auto children = std::move(children_[count]);
  if (children == nullptr) children = std::make_unique<Children>(target_, count);
  const std::string& step = arguments.text("step");
  Measurement found;
  if (step == "create") {
    found = children->create(bounds);
  } else if (step == "list") {
    found = children->list(bounds);
  } else if (step == "remove") {
    found = children->removeOne(bounds);
  } else if (step == "clear") {
    found = children->removeAll(bounds);
  } else {
    throw Failed("nothing like that is done to children: " + step);
  }
  children_[count] = std::move(children);
  return found;
}

Measurement Session::create(const Arguments& arguments, const Bounds& bounds) {
  const std::string& file = arguments.text("domains");
  if (newcomers_.count(file) == 0) newcomers_[file] = domainsIn(file);
  std::vector<NewDomain>& domains = newcomers_[file];
  Creation creation(target_);
  const std::string& how = arguments.text("how");
  if (how == "libxl") return creation.oneByOne(domains, bounds);
  if (how == "xcl") return creation.pipelined(domains, bounds);
  throw Failed("guests are not created like that: " + how);
}

Measurement Session::wait(const Bounds& bounds) const {
  Measurement found;
  Stopwatch watch(target_.pid);
  watch.begin();
  std::this_thread::sleep_for(std::chrono::duration<double>(bounds.seconds));
  watch.end(found);
  return found;
}

Measurement Session::populate(const Arguments& arguments, const Bounds& bounds) {
  const size_t from = arguments.count("from");
  const size_t to = arguments.count("to");
  const Deadline limit(bounds.limitSeconds);
  const std::string& what = arguments.text("what");
  Measurement found;
  Stopwatch watch(target_.pid);
  watch.begin();
  if (what == "idle") {
    population_.idle(from, to, limit);
  } else if (what == "watches") {
    population_.watches(from, to, limit);
  } else if (what == "guests") {
    population_.guests(from, to, arguments.text("nodes") == "all", limit);
  } else if (what == "agents") {
    population_.agents(from, to, limit);
  } else if (what == "rings") {
    population_.rings(domainsIn(arguments.text("domains")), from, to, limit);
  } else if (what == "nodes") {
    population_.nodes(from, to, limit);
  } else {
    throw Failed("nothing is populated with " + what);
  }
  watch.end(found);
  found.operations = to - from;
  return found;
}

}  // namespace xcl::peers
