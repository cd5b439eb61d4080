// The nodes of a guest with a network card, a disk and a console.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire.h"

namespace xcl::peers {

/** One request of many; START and END say where transactions are. */
struct Step {
  Op op;
  std::string payload;
};

using Steps = std::vector<Step>;

/** Folders of a guest that have to go when it goes. */
std::vector<std::string> foldersOf(uint32_t domid);

/** As libxl asks, all of it, in its order: kLibxlRequests, in five transactions. */
Steps libxlSteps(uint32_t domid);
inline constexpr size_t kLibxlRequests = 203;

/** As xcl asks, what is between START and END. */
Steps xclSteps(uint32_t domid);

/** The least that a guest needs to be one, for stores to which all of it is too much. */
Steps fewSteps(uint32_t domid);

}  // namespace xcl::peers
