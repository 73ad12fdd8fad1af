#include "agent/uring/buffers.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace lunar::uring {
namespace {

// Consecutive buffers start at different cache sets: with a stride of a power of two all heads would fight for a few.
constexpr size_t colour = 1024;
constexpr size_t stride = BufferPool::small_size + colour;
// What the kernel is offered at once: more than it completes in one turn, few enough to stay in the cache.
constexpr unsigned offered = 256;
constexpr size_t kept_bulk = 16;

void* map_memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

std::unique_ptr<Buffer> heap_buffer(uint32_t capacity) {
  auto buffer = std::make_unique<Buffer>();
  buffer->memory = static_cast<char*>(malloc(capacity));
  if (buffer->memory == nullptr) throw std::bad_alloc();
  buffer->capacity = capacity;
  return buffer;
}

}  // namespace

void BufferReturn::operator()(Buffer* buffer) const noexcept { pool->take_back(buffer); }

BufferPool::~BufferPool() {
  if (ring_ != nullptr) munmap(ring_, ring_bytes_);
  if (slab_ != nullptr) {
    ASAN_UNPOISON_MEMORY_REGION(slab_, slab_bytes_);
    munmap(slab_, slab_bytes_);
  }
  for (auto& buffer : bulk_stash_) free(buffer->memory);
}

Result<> BufferPool::open(Ring& ring, unsigned count) {
  ring_entries_ = std::min(offered, count);
  ring_bytes_ = ring_entries_ * sizeof(io_uring_buf);
  ring_ = static_cast<io_uring_buf_ring*>(map_memory(ring_bytes_));
  slab_bytes_ = count * stride;
  slab_ = static_cast<char*>(map_memory(slab_bytes_));
  if (ring_ == nullptr || slab_ == nullptr) return fail("no address space for receive buffers", ENOMEM);

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(ring_);
  registration.ring_entries = ring_entries_;
  registration.bgid = group;
  if (int error = io_uring_register_buf_ring(&ring.native(), &registration, 0); error < 0) {
    return fail(std::string("cannot register receive buffers: ") + strerror(-error), -error);
  }
  io_uring_buf_ring_init(ring_);

  buffers_.resize(count);
  stash_.reserve(count);
  bulk_stash_.reserve(kept_bulk);
  for (unsigned i = count; i-- > 0;) {
    buffers_[i].memory = slab_ + i * stride;
    buffers_[i].capacity = small_size;
    buffers_[i].id = static_cast<uint16_t>(i);
    stash_.push_back(static_cast<uint16_t>(i));
  }
  // AddressSanitizer sees whoever looks at bytes of a buffer that was given back; without it this is nothing.
  ASAN_POISON_MEMORY_REGION(slab_, slab_bytes_);
  provide();
  return {};
}

void BufferPool::close(Ring& ring) {
  if (ring_ != nullptr) io_uring_unregister_buf_ring(&ring.native(), group);
}

BufferRef BufferPool::picked_by_kernel(uint32_t cqe_flags, uint32_t bytes) {
  --provided_;
  Buffer& buffer = buffers_[cqe_flags >> IORING_CQE_BUFFER_SHIFT];
  ASAN_UNPOISON_MEMORY_REGION(buffer.memory, small_size);
  buffer.begin = 0;
  buffer.end = bytes;
  buffer.next = nullptr;
  return adopt(&buffer);
}

BufferRef BufferPool::small() {
  if (stash_.empty()) return adopt(nullptr);
  Buffer& buffer = buffers_[stash_.back()];
  stash_.pop_back();
  ASAN_UNPOISON_MEMORY_REGION(buffer.memory, small_size);
  buffer.begin = buffer.end = 0;
  buffer.next = nullptr;
  return adopt(&buffer);
}

BufferRef BufferPool::bulk() {
  if (bulk_stash_.empty()) return adopt(heap_buffer(bulk_size).release());
  Buffer* buffer = bulk_stash_.back().release();
  bulk_stash_.pop_back();
  buffer->begin = buffer->end = 0;
  buffer->next = nullptr;
  return adopt(buffer);
}

BufferRef BufferPool::sized(uint32_t bytes) {
  if (bytes <= small_size) {
    if (auto buffer = small()) return buffer;
  }
  return apart(bytes);
}

BufferRef BufferPool::apart(uint32_t bytes) { return adopt(heap_buffer(bytes).release()); }

BufferRef BufferPool::split(Buffer& buffer, uint32_t bytes) {
  uint32_t rest = buffer.size() - bytes;
  BufferRef tail = sized(rest);
  memcpy(tail->memory, buffer.bytes() + bytes, rest);
  tail->end = rest;
  buffer.end = buffer.begin + bytes;
  return tail;
}

void BufferPool::provide() {
  unsigned added = 0;
  int mask = io_uring_buf_ring_mask(ring_entries_);
  while (provided_ < ring_entries_ && !stash_.empty()) {
    Buffer& buffer = buffers_[stash_.back()];
    stash_.pop_back();
    io_uring_buf_ring_add(ring_, buffer.memory, small_size, buffer.id, mask, static_cast<int>(added++));
    ++provided_;
  }
  if (added > 0) io_uring_buf_ring_advance(ring_, static_cast<int>(added));
}

void BufferPool::take_back(Buffer* buffer) noexcept {
  if (buffer->memory >= slab_ && buffer->memory < slab_ + slab_bytes_) {
    ASAN_POISON_MEMORY_REGION(buffer->memory, small_size);
    stash_.push_back(buffer->id);
    return;
  }
  std::unique_ptr<Buffer> owned(buffer);
  if (buffer->capacity == bulk_size && bulk_stash_.size() < kept_bulk) {
    bulk_stash_.push_back(std::move(owned));
  } else {
    free(buffer->memory);
  }
}

}  // namespace lunar::uring
