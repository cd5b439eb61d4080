#include "answers.h"

#include <algorithm>
#include <charconv>

namespace xcl::peers {

namespace {

constexpr std::string_view kValue = "0123456789abcde";
/** NUL included, as all acknowledgements. */
constexpr std::string_view kOk("OK", 3);
constexpr std::string_view kTransaction("1", 2);

/** Room for the names of a part, behind the generation: `1` NUL. */
constexpr size_t kPartBytes = kMaxPayload - 2;
/** As the load's children: `c00017` NUL. */
constexpr size_t kNameBytes = 7;

size_t numberIn(std::string_view text) {
  size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string_view pathOf(const Question& question) { return question.payload.substr(0, question.payload.find('\0')); }

/** The path ends with the number of children. */
size_t childrenOf(std::string_view path) { return numberIn(path.substr(path.rfind('/') + 1)); }

/** The second string says from which byte on. */
void appendPart(std::string& out, const Question& question) {
  const std::string_view path = pathOf(question);
  const size_t children = childrenOf(path);
  const size_t from = numberIn(question.payload.substr(std::min(path.size() + 1, question.payload.size())));
  const size_t left = children * kNameBytes - std::min(from, children * kNameBytes);
  const bool isLast = left <= kPartBytes - 1;
  const size_t bytes = isLast ? left : kPartBytes - kPartBytes % kNameBytes;
  std::string payload("1", 2);
  for (size_t i = 0; i < bytes; i += kNameBytes) payload.append("c00000", kNameBytes);
  // An empty name ends the list.
  if (isLast) payload.push_back('\0');
  append(out, Op::kDirectoryPart, question.head.txId, payload);
}

void appendPayload(std::string& out, const Question& question, std::string_view payload) {
  Header head = question.head;
  head.bytes = static_cast<uint32_t>(payload.size());
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  out.append(payload);
}

void appendList(std::string& out, const Question& question) {
  const bool isLong = childrenOf(pathOf(question)) * kNameBytes > kMaxPayload;
  if (isLong) return append(out, Op::kError, question.head.txId, std::string_view("E2BIG", 6));
  appendPayload(out, question, kValue);
}

}  // namespace

size_t takeQuestion(std::string_view bytes, Question& question) {
  if (bytes.size() < sizeof question.head) return 0;
  std::memcpy(&question.head, bytes.data(), sizeof question.head);
  if (bytes.size() - sizeof question.head < question.head.bytes) return 0;
  question.payload = bytes.substr(sizeof question.head, question.head.bytes);
  return sizeof question.head + question.head.bytes;
}

void appendAnswer(std::string& out, const Question& question) {
  switch (static_cast<Op>(question.head.type)) {
    case Op::kRead:
      return appendPayload(out, question, kValue);
    case Op::kDirectory:
      return appendList(out, question);
    case Op::kDirectoryPart:
      return appendPart(out, question);
    case Op::kTransactionStart:
      return appendPayload(out, question, kTransaction);
    default:
      return appendPayload(out, question, kOk);
  }
}

}  // namespace xcl::peers
