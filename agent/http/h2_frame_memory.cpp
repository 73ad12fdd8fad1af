#include "agent/http/h2_frame_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lunar::http {
namespace {

constexpr size_t smallest_frame_block = 16 * 1024;

}  // namespace

void* H2FrameMemory::allocate(size_t bytes) {
  const bool for_frames = bytes >= smallest_frame_block && bytes <= blocks_.size;
  if (!for_frames || block_ != nullptr || blocks_.take == nullptr) return malloc(bytes);
  block_ = blocks_.take();
  return block_ != nullptr ? block_ : malloc(bytes);
}

void H2FrameMemory::release(void* memory) {
  if (memory == nullptr || memory != block_) return free(memory);
  blocks_.give(block_);
  block_ = nullptr;
}

void* H2FrameMemory::resize(void* memory, size_t bytes) {
  if (memory == nullptr) return allocate(bytes);
  if (memory != block_) return realloc(memory, bytes);
  void* moved = malloc(bytes);
  if (moved == nullptr) return nullptr;
  memcpy(moved, memory, std::min(bytes, blocks_.size));
  release(memory);
  return moved;
}

}  // namespace lunar::http
