// Memory for bytes in flight. Small buffers are offered to the kernel as one provided ring, which picks one when
// bytes have arrived: a connection that waits holds none. Large ones serve bulk bodies.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/uring/ring.h"

namespace lunar::uring {

// A piece of memory with the bytes [begin, end) in it. Owned by whoever holds the BufferRef.
struct Buffer {
  char* memory = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t capacity = 0;
  uint16_t id = 0;  // of the provided ring
  Buffer* next = nullptr;

  [[nodiscard]] uint32_t size() const { return end - begin; }
  [[nodiscard]] char* bytes() const { return memory + begin; }
  [[nodiscard]] std::string_view view() const { return {bytes(), size()}; }
};

class BufferPool;

struct BufferReturn {
  BufferPool* pool = nullptr;
  void operator()(Buffer* buffer) const noexcept;
};
using BufferRef = std::unique_ptr<Buffer, BufferReturn>;

// Owned by one loop; all calls on its thread. It outlives every BufferRef.
class BufferPool {
 public:
  static constexpr uint32_t small_size = 16 * 1024;
  static constexpr uint32_t bulk_size = 256 * 1024;
  static constexpr uint16_t group = 0;  // the provided ring's buffer group

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // `count`: small buffers in all, a power of two up to 32768; memory is touched only when used.
  [[nodiscard]] Result<> open(Ring& ring, unsigned count);
  void close(Ring& ring);

  // The buffer that the kernel named in a completion with IORING_CQE_F_BUFFER, holding `bytes` bytes.
  [[nodiscard]] BufferRef picked_by_kernel(uint32_t cqe_flags, uint32_t bytes);
  [[nodiscard]] BufferRef small();                // empty; null when all are in use
  [[nodiscard]] BufferRef bulk();                 // empty
  [[nodiscard]] BufferRef sized(uint32_t bytes);  // empty, of at least that capacity
  [[nodiscard]] BufferRef apart(uint32_t bytes);  // empty, of that capacity, never one of the small ones
  // A copy of the bytes of `buffer` behind the first `bytes`; these stay in `buffer`.
  [[nodiscard]] BufferRef split(Buffer& buffer, uint32_t bytes);

  void provide();  // tops the kernel's ring up; called once per loop turn
  [[nodiscard]] bool kernel_ring_empty() const { return provided_ == 0; }
  // So few small buffers are free that nobody should keep more of them than he must.
  [[nodiscard]] bool scarce() const { return free_small() < total_small() / 2; }
  [[nodiscard]] unsigned free_small() const { return static_cast<unsigned>(stash_.size()) + provided_; }
  [[nodiscard]] unsigned total_small() const { return static_cast<unsigned>(buffers_.size()); }

 private:
  friend struct BufferReturn;
  void take_back(Buffer* buffer) noexcept;
  [[nodiscard]] BufferRef adopt(Buffer* buffer) { return BufferRef(buffer, BufferReturn{this}); }

  io_uring_buf_ring* ring_ = nullptr;
  size_t ring_bytes_ = 0;
  unsigned ring_entries_ = 0;
  unsigned provided_ = 0;
  char* slab_ = nullptr;
  size_t slab_bytes_ = 0;
  std::vector<Buffer> buffers_;
  std::vector<uint16_t> stash_;  // free and not offered; last in, first out, so that hot memory is used again
  std::vector<std::unique_ptr<Buffer>> bulk_stash_;
};

}  // namespace lunar::uring
