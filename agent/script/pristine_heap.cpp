#include "agent/script/pristine_heap.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace lunar::script {
namespace {

constexpr size_t kFirstBytes = 4 << 20;

size_t rounded(size_t size) { return (size + 15) / 16 * 16; }

}  // namespace

PristineHeap::PristineHeap(duk_fatal_function fatal, duk_safe_call_function prepare)
    : first_(new std::byte[kFirstBytes]) {
  list_.before = list_.after = &list_;
  heap_ = duk_create_heap(allocate, reallocate, release, this, fatal);
  if (heap_ == nullptr || duk_safe_call(heap_, prepare, nullptr, 0, 1) != DUK_EXEC_SUCCESS)
    fatal(this, "the heap cannot be prepared");
  copy_.assign(first_.get(), first_.get() + used_);
}

PristineHeap::~PristineHeap() { free_list(); }

duk_context* PristineHeap::renew(size_t limit) {
  free_list();
  memcpy(first_.get(), copy_.data(), copy_.size());
  refused_ = limit < used_;
  left_ = refused_ ? 0 : limit - used_;
  return refused_ ? nullptr : heap_;
}

void PristineHeap::free_list() {
  for (Block* block = list_.after; block != &list_;) std::free(std::exchange(block, block->after));
  list_.before = list_.after = &list_;
}

void* PristineHeap::take_first(size_t size) {
  const size_t whole = sizeof(Block) + rounded(size);
  if (used_ + whole > kFirstBytes) return nullptr;
  auto* block = new (first_.get() + used_) Block{.size = size};
  used_ += whole;
  return block + 1;
}

void* PristineHeap::take_later(size_t size) {
  const size_t whole = size + sizeof(Block);
  void* memory = whole > size && whole <= left_ ? std::malloc(whole) : nullptr;
  if (memory == nullptr) {
    refused_ = true;
    return nullptr;
  }
  left_ -= whole;
  auto* block = new (memory) Block{.size = size, .before = list_.before, .after = &list_};
  list_.before->after = block;
  list_.before = block;
  return block + 1;
}

void* PristineHeap::allocate(void* self, duk_size_t size) {
  auto& heap = *static_cast<PristineHeap*>(self);
  if (size == 0) return nullptr;
  return heap.copy_.empty() ? heap.take_first(size) : heap.take_later(size);
}

void* PristineHeap::reallocate(void* self, void* memory, duk_size_t size) {
  auto& heap = *static_cast<PristineHeap*>(self);
  if (memory == nullptr) return allocate(self, size);
  if (size == 0) {
    release(self, memory);
    return nullptr;
  }
  Block* block = static_cast<Block*>(memory) - 1;
  if (heap.is_first(memory) || size > block->size + heap.left_) {
    void* moved = allocate(self, size);
    if (moved == nullptr) return nullptr;
    memcpy(moved, memory, std::min<size_t>(size, block->size));
    release(self, memory);
    return moved;
  }
  Block* const before = block->before;
  Block* const after = block->after;
  const size_t size_before = block->size;
  auto* moved = static_cast<Block*>(std::realloc(block, size + sizeof(Block)));
  if (moved == nullptr) {
    heap.refused_ = true;
    return nullptr;
  }
  before->after = after->before = moved;
  heap.left_ = heap.left_ + size_before - size;
  moved->size = size;
  return moved + 1;
}

// What was there before the first call stays until the heap is renewed.
void PristineHeap::release(void* self, void* memory) {
  auto& heap = *static_cast<PristineHeap*>(self);
  if (memory == nullptr || heap.is_first(memory)) return;
  Block* block = static_cast<Block*>(memory) - 1;
  block->before->after = block->after;
  block->after->before = block->before;
  heap.left_ += block->size + sizeof(Block);
  std::free(block);
}

}  // namespace lunar::script
