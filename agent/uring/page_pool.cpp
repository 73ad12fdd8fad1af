#include "agent/uring/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <vector>

namespace lunar::uring {
namespace {

// One mapping each would soon be more than a process may have.
constexpr size_t mapped_at_once = 64;

thread_local std::vector<char*> free_blocks;

void map_more() {
  // With larger ones, blocks would share pages, and giving one back would take bytes of another.
  if (sysconf(_SC_PAGESIZE) != PagePool::page_size) return;
  constexpr size_t bytes = mapped_at_once * PagePool::block_size;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  madvise(memory, bytes, MADV_NOHUGEPAGE);  // which would be memory as a whole
  for (size_t i = mapped_at_once; i-- > 0;)
    free_blocks.push_back(static_cast<char*>(memory) + i * PagePool::block_size);
}

}  // namespace

void* PagePool::allocate() noexcept {
  if (free_blocks.empty()) map_more();
  if (free_blocks.empty()) return nullptr;
  char* block = free_blocks.back();
  free_blocks.pop_back();
  return block;
}

void PagePool::release(void* block) noexcept {
  madvise(block, block_size, MADV_DONTNEED);
  free_blocks.push_back(static_cast<char*>(block));
}

}  // namespace lunar::uring
