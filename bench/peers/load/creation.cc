#include "creation.h"

#include <charconv>
#include <fstream>

#include "failure.h"

namespace xcl::peers {

namespace {

/** In one measurement, of the domains that there are for all of them. */
constexpr size_t kAtMostIntroduced = 20;

}  // namespace

std::vector<NewDomain> domainsIn(const std::string& file) {
  std::ifstream in(file);
  std::vector<NewDomain> domains;
  for (NewDomain domain; in >> domain.domid >> domain.gfn >> domain.port;) domains.push_back(domain);
  if (domains.empty()) throw Failed("no domains are in " + file);
  return domains;
}

std::string introduction(const NewDomain& domain) {
  const std::string place = pair(std::to_string(domain.gfn), std::to_string(domain.port), true);
  return pair(std::to_string(domain.domid), place, false);
}

Measurement Creation::oneByOne(std::vector<NewDomain>& domains, const Bounds& bounds) {
  return measure(&Creation::createOneByOne, domains, bounds);
}

Measurement Creation::pipelined(std::vector<NewDomain>& domains, const Bounds& bounds) {
  return measure(&Creation::createPipelined, domains, bounds);
}

Measurement Creation::measure(Create create, std::vector<NewDomain>& domains, const Bounds& bounds) {
  Measurement found;
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  while (!end.isOver() || found.operations == 0) {
    if (domains.empty()) throw Failed("there are no more domains to introduce");
    const NewDomain domain = domains.back();
    if (domain.gfn != 0) domains.pop_back();
    Stopwatch watch(target_.pid);
    watch.begin();
    const uint64_t begunNs = nowNs();
    (this->*create)(domain, limit);
    found.latencies.add(nowNs() - begunNs);
    watch.end(found);
    found.operations++;
    remove(domain, Deadline(bounds.limitSeconds));
    if (domain.gfn != 0 && found.operations == kAtMostIntroduced) break;
  }
  return found;
}

void Creation::createOneByOne(const NewDomain& domain, const Deadline& limit) {
  const Steps steps = libxlSteps(domain.domid);
  if (steps.size() != kLibxlRequests) throw Failed(std::to_string(steps.size()) + " requests are none of libxl's");
  uint32_t txId = 0;
  for (const Step& step : steps) {
    if (step.op == Op::kTransactionStart) {
      txId = start(limit);
      continue;
    }
    expect(step, connection_.ask(step.op, txId, step.payload, limit));
    if (step.op == Op::kTransactionEnd) txId = 0;
  }
  introduce(domain, limit);
}

void Creation::createPipelined(const NewDomain& domain, const Deadline& limit) {
  const Steps steps = xclSteps(domain.domid);
  const uint32_t txId = start(limit);
  for (const Step& step : steps) connection_.put(step.op, txId, step.payload);
  connection_.put(Op::kTransactionEnd, txId, path("T"));
  connection_.flush(limit);
  for (const Step& step : steps) expect(step, connection_.next(limit));
  connection_.drain(limit);
  introduce(domain, limit);
}

void Creation::introduce(const NewDomain& domain, const Deadline& limit) {
  if (domain.gfn == 0) return;
  connection_.call(Op::kIntroduce, 0, introduction(domain), limit);
}

void Creation::remove(const NewDomain& domain, const Deadline& limit) {
  if (domain.gfn != 0) connection_.call(Op::kRelease, 0, path(std::to_string(domain.domid)), limit);
  for (const std::string& folder : foldersOf(domain.domid)) {
    expect({Op::kRemove, folder}, connection_.ask(Op::kRemove, 0, path(folder), limit));
  }
}

void Creation::expect(const Step& step, const Message& message) const {
  // What was to be removed may not have been there.
  if (step.op == Op::kRemove && message.isError() && message.text() == "ENOENT") return;
  connection_.check(message);
}

uint32_t Creation::start(const Deadline& limit) {
  const Message message = connection_.call(Op::kTransactionStart, 0, std::string_view("", 1), limit);
  const std::string_view number = message.text();
  uint32_t txId = 0;
  std::from_chars(number.data(), number.data() + number.size(), txId);
  return txId;
}

}  // namespace xcl::peers
