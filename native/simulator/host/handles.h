// All handles by number, which is how a port names its owner.
#pragma once

#include <memory>
#include <vector>

#include "handle.h"
#include "lowest_free.h"

namespace xcl::sim {

class Handles {
 public:
  explicit Handles(Machine& machine) : machine_(machine), numbers_(kKernel + 1, UINT32_MAX) {}

  void add(UniqueFd fd);
  /** Undoes at once what the handle held; may be called by the handle itself. */
  void close(Handle& handle);
  /** Frees what was closed. */
  void bury() { closed_.clear(); }
  void fire(PortOwner owner, uint32_t port);

  /** The handle has fired something. */
  void wake(Handle& handle);
  /** Delivers what those that are awake have fired. @returns true when there may be more */
  bool deliver();

  /** What all of them have bound and mapped. */
  size_t portsHeld() const;
  size_t pagesHeld() const;

 private:
  Machine& machine_;
  LowestFree numbers_;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::vector<std::unique_ptr<Handle>> closed_;
  std::vector<Handle*> awake_;
};

}  // namespace xcl::sim
