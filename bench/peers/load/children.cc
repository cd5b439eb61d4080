#include "children.h"

#include <algorithm>
#include <cstdio>

#include "failure.h"

namespace xcl::peers {

namespace {

/** Requests under way while it is filled. */
constexpr size_t kDepth = 32;

size_t namesIn(std::string_view payload) {
  return static_cast<size_t>(std::count(payload.begin(), payload.end(), '\0'));
}

}  // namespace

Children::Children(const Target& target, size_t count)
    : target_(target),
      connection_(target.socketPath),
      // The floor reads there how long a list it is to give.
      folder_("/bench/children/" + std::to_string(count)),
      count_(count) {}

std::string Children::child(size_t number) const {
  char name[8];
  std::snprintf(name, sizeof name, "c%05u", static_cast<unsigned>(number % 100'000));
  return path(folder_ + "/" + name);
}

Measurement Children::create(const Bounds& bounds) {
  const Deadline limit(bounds.limitSeconds);
  clear(limit);
  connection_.call(Op::kMkdir, 0, path(folder_), limit);
  Measurement found;
  Stopwatch watch(target_.pid);
  watch.begin();
  fill(limit);
  watch.end(found);
  found.operations = count_;
  return found;
}

Measurement Children::list(const Bounds& bounds) {
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  if (!isFull_) fill(limit);
  Measurement found;
  Stopwatch watch(target_.pid);
  watch.begin();
  while (!end.isOver() || found.operations == 0) {
    const uint64_t begunNs = nowNs();
    const size_t listed = listOnce(limit);
    found.latencies.add(nowNs() - begunNs);
    found.operations++;
    if (listed != count_) throw Failed("the list has " + std::to_string(listed) + " children");
  }
  watch.end(found);
  return found;
}

Measurement Children::removeOne(const Bounds& bounds) {
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  if (!isFull_) fill(limit);
  Measurement found;
  for (size_t number = 0; !end.isOver() || found.operations == 0; number = (number + 7919) % count_) {
    Stopwatch watch(target_.pid);
    watch.begin();
    const uint64_t begunNs = nowNs();
    connection_.call(Op::kRemove, 0, child(number), limit);
    found.latencies.add(nowNs() - begunNs);
    watch.end(found);
    found.operations++;
    connection_.call(Op::kMkdir, 0, child(number), limit);
  }
  return found;
}

Measurement Children::removeAll(const Bounds& bounds) {
  const Deadline end(bounds.seconds);
  const Deadline limit(bounds.limitSeconds);
  Measurement found;
  while (!end.isOver() || found.operations == 0) {
    if (!isFull_) fill(limit);
    Stopwatch watch(target_.pid);
    watch.begin();
    const uint64_t begunNs = nowNs();
    clear(limit);
    found.latencies.add(nowNs() - begunNs);
    watch.end(found);
    found.operations++;
  }
  return found;
}

void Children::fill(const Deadline& limit) {
  for (size_t sent = 0; sent < count_;) {
    for (const size_t until = std::min(sent + kDepth / 2, count_); sent < until; sent++) {
      connection_.put(Op::kMkdir, 0, child(sent));
    }
    connection_.flush(limit);
    while (connection_.underWay() > kDepth / 2) connection_.answer(limit);
    if (limit.isOver()) throw TooSlow(std::to_string(sent) + " of " + std::to_string(count_) + " children are made");
  }
  connection_.drain(limit);
  isFull_ = true;
}

void Children::clear(const Deadline& limit) {
  isFull_ = false;
  const Message message = connection_.ask(Op::kRemove, 0, path(folder_), limit);
  if (!message.isError() || message.text() != "ENOENT") connection_.check(message);
}

// As libxenstore does it: parts only where the whole is too long.
size_t Children::listOnce(const Deadline& limit) {
  const Message whole = connection_.ask(Op::kDirectory, 0, path(folder_), limit);
  if (!whole.isError()) return namesIn(whole.payload);
  if (whole.text() != "E2BIG") connection_.check(whole);
  size_t children = 0;
  for (size_t bytes = 0;;) {
    const std::string offset = std::to_string(bytes);
    const Message part = connection_.call(Op::kDirectoryPart, 0, pair(folder_, offset, true), limit);
    // The generation comes first; an empty name ends the list.
    const std::string_view names = part.payload.substr(std::min(part.text().size() + 1, part.payload.size()));
    bytes += names.size();
    children += namesIn(names);
    if (names.empty()) throw Failed("a part of the list is empty");
    if (names == std::string_view("", 1) || names.ends_with(std::string_view("\0\0", 2))) return children - 1;
  }
}

}  // namespace xcl::peers
