// Wraps a shared mapping of a descriptor's memory; unmaps it when it goes. The descriptor is not needed
// any more once the memory is mapped.
#pragma once

#include <cstddef>

namespace xcl {

class SharedMapping {
 public:
  SharedMapping() = default;
  /** @throws Failure */
  SharedMapping(int fd, size_t bytes);
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();

  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace xcl
