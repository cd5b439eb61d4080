// Steps on a device's directory that front ends and back ends take alike, each safe against a toolstack
// that removes the directory meanwhile.
#pragma once

#include <string_view>

#include "store_session.h"
#include "task.h"
#include "xenbus.h"

namespace xcl::sim {

/** A missing or unreadable state is kUnknown, as it is in Linux. */
Task readState(StoreSession& store, std::string_view statePath, XenbusState& state);

struct XenbusKey {
  std::string_view name;
  std::string_view value;
};

/**
 * Writes a device's state, and keys with it, in a transaction that has seen one: a directory that was removed
 * is not brought back by it. False: it was removed, or the store refused.
 */
Task switchState(StoreSession& store, std::string_view directory, XenbusState state, const XenbusKey* keys = nullptr,
                 size_t keyCount = 0);

/** A transaction's number. */
bool parseTransaction(const StoreReply& reply, uint32_t& txId);

}  // namespace xcl::sim
