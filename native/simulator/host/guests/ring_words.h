// The words of a store ring behind its two streams, by Xen's names for them (xen/include/public/io/xs_wire.h,
// struct xenstore_domain_interface).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xcl::sim {

/** @returns lines `name=number` */
std::vector<std::string> ringWords(std::byte* ring);
/** @returns where the word is, as a byte offset into the page; none: no word has that name */
std::optional<uint32_t> ringWordNamed(std::string_view name);

}  // namespace xcl::sim
