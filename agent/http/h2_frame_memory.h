// The block in which nghttp2 makes the frames of one session: 16 KiB, of which most frames use the first few bytes. Its
// owner may have a better place for such blocks than the heap.
#pragma once

#include <cstddef>

namespace lunar::http {

// Where blocks of this size come from, and go back to on the same thread. Null: from the heap.
struct H2FrameBlocks {
  size_t size = 0;
  void* (*take)() noexcept = nullptr;  // returns null where there is none
  void (*give)(void* block) noexcept = nullptr;
};

// Of one session, which it outlives.
class H2FrameMemory {
 public:
  explicit H2FrameMemory(const H2FrameBlocks& blocks) : blocks_(blocks) {}
  H2FrameMemory(const H2FrameMemory&) = delete;
  H2FrameMemory& operator=(const H2FrameMemory&) = delete;

  // As malloc, realloc and free; what is no block for frames comes from those.
  [[nodiscard]] void* allocate(size_t bytes);
  [[nodiscard]] void* resize(void* memory, size_t bytes);
  void release(void* memory);

 private:
  const H2FrameBlocks blocks_;
  void* block_ = nullptr;  // null: not asked for, or from the heap
};

}  // namespace lunar::http
