#include "agent/uring/frame_pool.h"

#include <sanitizer/asan_interface.h>

#include <array>
#include <new>
#include <utility>

namespace lunar::uring {
namespace {

constexpr size_t granule = 64;
constexpr size_t largest = 4096;
constexpr size_t classes = largest / granule;

struct FreeBlock {
  FreeBlock* next;
};

struct FreeLists {
  std::array<FreeBlock*, classes> heads{};
  size_t in_use = 0;

  FreeLists() = default;
  FreeLists(const FreeLists&) = delete;
  FreeLists& operator=(const FreeLists&) = delete;
  ~FreeLists() {
    for (FreeBlock* block : heads) {
      while (block != nullptr) ::operator delete(std::exchange(block, block->next));
    }
  }
};

FreeLists& lists() {
  thread_local FreeLists lists;
  return lists;
}

size_t class_of(size_t bytes) { return (bytes - 1) / granule; }
size_t size_of(size_t bytes) { return (class_of(bytes) + 1) * granule; }

}  // namespace

void* FramePool::allocate(size_t bytes) {
  FreeLists& mine = lists();
  mine.in_use += bytes;
  if (bytes == 0 || bytes > largest) return ::operator new(bytes);
  FreeBlock*& head = mine.heads[class_of(bytes)];
  if (head == nullptr) return ::operator new(size_of(bytes));
  ASAN_UNPOISON_MEMORY_REGION(head, size_of(bytes));
  return std::exchange(head, head->next);
}

void FramePool::release(void* block, size_t bytes) noexcept {
  FreeLists& mine = lists();
  mine.in_use -= bytes;
  if (bytes == 0 || bytes > largest) {
    ::operator delete(block);
    return;
  }
  FreeBlock*& head = mine.heads[class_of(bytes)];
  head = new (block) FreeBlock{head};
  // AddressSanitizer sees whoever uses a frame or stream that has ended; without it this is nothing.
  ASAN_POISON_MEMORY_REGION(head + 1, size_of(bytes) - sizeof(FreeBlock));
}

size_t FramePool::in_use() { return lists().in_use; }

}  // namespace lunar::uring
