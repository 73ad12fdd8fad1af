// Blocks of a few pages of their own, of one thread: for what is rarely used beyond its beginning, since a page that
// was never touched takes no memory. A released block keeps its address space alone. It is released on the thread that
// allocated it.
#pragma once

#include <cstddef>

namespace lunar::uring {

class PagePool {
 public:
  static constexpr size_t page_size = 4096;
  static constexpr size_t block_size = 5 * page_size;  // a frame of HTTP/2 of 16 KiB and its header
  // All zero. Null: there is no address space, or pages of the kernel have another size.
  [[nodiscard]] static void* allocate() noexcept;
  static void release(void* block) noexcept;
};

}  // namespace lunar::uring
