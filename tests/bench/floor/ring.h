// The io_uring of the floor relay, and its provided buffers.
#pragma once

#include <liburing.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace lunar::bench {

[[noreturn]] void die(const char* what, int error);

// Buffers that the kernel picks from when bytes are there, so that no idle connection holds one.
class Buffers {
 public:
  static constexpr uint16_t kCount = 256;  // a power of two; more than a batch needs, and still inside the L2 cache
  static constexpr uint32_t kSize = 4096;
  static constexpr uint16_t kGroup = 0;
  static constexpr uint16_t kNone = 0xffff;

  explicit Buffers(io_uring& ring);

  char* at(uint16_t id) { return memory_.data() + static_cast<size_t>(id) * kStride; }
  void give_back(uint16_t id) {
    io_uring_buf_ring_add(entries_, at(id), kSize, id, io_uring_buf_ring_mask(kCount), returned_++);
  }
  void publish() {
    if (returned_ > 0) io_uring_buf_ring_advance(entries_, returned_);
    returned_ = 0;
  }

 private:
  static constexpr size_t kStride = kSize + 192;  // not a power of two: equal offsets must not share a cache set

  std::vector<char> memory_;
  io_uring_buf_ring* entries_ = nullptr;
  int returned_ = 0;
};

class Ring {
 public:
  Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  io_uring& raw() { return ring_; }
  io_uring_sqe* sqe();

  // Submits what was prepared and waits for a completion, in one system call; then hands out the batch.
  template <class Visit>
  void turn(Visit&& visit) {
    int result = io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR) die("io_uring_enter", -result);
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      visit(*cqe);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
  }

 private:
  io_uring ring_{};
};

}  // namespace lunar::bench
