// Xen's own console log: a ring of text, read by index (xc_readconsolering), and VIRQ_CON_RING for each text
// that is added. With --log the text goes to a file, too.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "../../src/unique_fd.h"

namespace xcl::sim {

class XenConsole {
 public:
  /** @param added called after text was added */
  explicit XenConsole(std::function<void()> added);

  /** Also appends to this file from now on. @throws HostFailure when it cannot be opened */
  void logTo(const std::string& path);
  /** A line, without its end. */
  void print(const std::string& line);
  /**
   * @param index where to read from; what is not there any more is passed over
   * @param nextIndex where the next call is to go on
   */
  std::string_view read(uint32_t index, uint32_t& nextIndex);

 private:
  std::function<void()> added_;
  std::vector<char> ring_;
  /** Bytes ever printed. */
  uint64_t end_ = 0;
  std::string piece_;
  UniqueFd log_;
};

}  // namespace xcl::sim
