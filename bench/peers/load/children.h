// A directory with many children. What one measurement leaves there, the next one finds.
#pragma once

#include <string>

#include "clients.h"
#include "connection.h"
#include "measurement.h"

namespace xcl::peers {

class Children {
 public:
  Children(const Target& target, size_t count);

  /** An operation is a child that is made in the empty directory. */
  Measurement create(const Bounds& bounds);
  /** An operation is the whole list, in as many parts as it takes. */
  Measurement list(const Bounds& bounds);
  /** An operation is the end of one child, which is then made anew. */
  Measurement removeOne(const Bounds& bounds);
  /** An operation is the end of the directory with all children. */
  Measurement removeAll(const Bounds& bounds);

 private:
  std::string child(size_t number) const;
  void fill(const Deadline& limit);
  void clear(const Deadline& limit);
  size_t listOnce(const Deadline& limit);

  Target target_;
  Connection connection_;
  std::string folder_;
  size_t count_;
  bool isFull_ = false;
};

}  // namespace xcl::peers
