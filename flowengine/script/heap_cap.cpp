#include "flowengine/script/heap_cap.h"

#include <cstdlib>

namespace lunar {
namespace {

// Before each block stands its size.
struct alignas(16) Block {
  size_t size;
};

Block* block_of(void* memory) { return static_cast<Block*>(memory) - 1; }

}  // namespace

HeapCap::~HeapCap() {
  if (heap_ != nullptr) duk_destroy_heap(heap_);
}

duk_context* HeapCap::make_heap(duk_fatal_function fatal) {
  heap_ = duk_create_heap(allocate, reallocate, release, this, fatal);
  return heap_;
}

void* HeapCap::allocate(void* self, duk_size_t size) { return reallocate(self, nullptr, size); }

void* HeapCap::reallocate(void* self, void* memory, duk_size_t size) {
  auto& cap = *static_cast<HeapCap*>(self);
  if (size == 0) {
    release(self, memory);
    return nullptr;
  }
  const size_t before = memory == nullptr ? 0 : block_of(memory)->size;
  const size_t wanted = size + sizeof(Block);
  Block* block = nullptr;
  if (wanted > size && wanted <= cap.left_ + before)
    block = static_cast<Block*>(std::realloc(memory == nullptr ? nullptr : block_of(memory), wanted));
  if (block == nullptr) {
    cap.refused_ = true;
    return nullptr;
  }
  cap.left_ = cap.left_ + before - wanted;
  block->size = wanted;
  return block + 1;
}

void HeapCap::release(void* self, void* memory) {
  if (memory == nullptr) return;
  static_cast<HeapCap*>(self)->left_ += block_of(memory)->size;
  std::free(block_of(memory));
}

}  // namespace lunar
