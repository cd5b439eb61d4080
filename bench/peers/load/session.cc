#include "session.h"

#include "failure.h"

namespace xcl::peers {

namespace {

Op opOf(const std::string& name) {
  if (name == "read") return Op::kRead;
  if (name == "write") return Op::kWrite;
  throw Failed("no operation is called " + name);
}

Bounds boundsOf(const Arguments& arguments) { return {arguments.number("seconds"), arguments.number("limit")}; }

}  // namespace

std::string Session::run(const Arguments& arguments) {
  if (arguments.name() == "busy") return busy(arguments);
  throw Failed("no command is called " + arguments.name());
}

std::string Session::busy(const Arguments& arguments) {
  const Bounds bounds = boundsOf(arguments);
  const Op op = opOf(arguments.text("op"));
  Clients clients(target_, arguments.count("clients"), Deadline(bounds.limitSeconds));
  const std::string& how = arguments.text("how");
  if (how == "all") return clients.allBusy(op, arguments.count("depth"), bounds).json();
  if (how == "turn") return clients.inTurn(op, bounds).json();
  if (how == "paced") return clients.paced(op, arguments.number("rate"), bounds).json();
  throw Failed("clients are not busy like that: " + how);
}

}  // namespace xcl::peers
