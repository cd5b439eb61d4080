#include "printer.h"

#include <algorithm>

namespace xcl::sim {

namespace {

/** Longer than what is left of any line behind its number. */
constexpr std::string_view kFiller = "the quick brown fox jumps over the lazy dog and over its hill";
constexpr std::string_view kEnd = "\r\n";

}  // namespace

void Printed::add(std::string_view taken) {
  bytes += taken.size();
  lines += static_cast<uint64_t>(std::count(taken.begin(), taken.end(), '\n'));
  checksum.add(taken);
}

void Printer::begin(uint64_t lines, uint64_t periodNs, uint64_t firstNs) {
  number_ = 0;
  left_ = lines;
  periodNs_ = periodNs;
  nextNs_ = firstNs;
  printed_ = Printed();
}

Text<Printer::kLineBytes> Printer::next(uint32_t domid) {
  left_--;
  nextNs_ += periodNs_;
  Text<kLineBytes> line("guest ", domid, " line ", ++number_, " ");
  line.add(kFiller.substr(0, kLineBytes - kEnd.size() - line.view().size()));
  line.add(kEnd);
  return line;
}

}  // namespace xcl::sim
