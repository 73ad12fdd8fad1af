// Memory of coroutine frames and other small, short-lived blocks of one thread: free lists by size, never
// given back, so that a request allocates nothing after the first of its kind. A block is released on the thread
// that allocated it.
#pragma once

#include <cstddef>

namespace lunar::uring {

class FramePool {
 public:
  static void* allocate(size_t bytes);
  static void release(void* block, size_t bytes) noexcept;
  // Bytes handed out on this thread and not yet released.
  [[nodiscard]] static size_t in_use();
};

}  // namespace lunar::uring
