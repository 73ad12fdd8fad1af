#include "tests/bench/floor/ring.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>

namespace lunar::bench {

void die(const char* what, int error) {
  std::fprintf(stderr, "relay_floor: %s: %s\n", what, std::strerror(error));
  std::exit(1);
}

Ring::Ring() {
  io_uring_params params{};
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  params.cq_entries = 8192;
  int result = io_uring_queue_init_params(2048, &ring_, &params);
  if (result < 0) die("io_uring_setup (Linux 6.1 is needed)", -result);
  io_uring_register_ring_fd(&ring_);
}

io_uring_sqe* Ring::sqe() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry != nullptr) return entry;
  io_uring_submit(&ring_);
  return io_uring_get_sqe(&ring_);
}

Buffers::Buffers(io_uring& ring) : memory_(kCount * kStride) {
  size_t size = kCount * sizeof(io_uring_buf);
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (pages == MAP_FAILED) die("mmap", errno);
  entries_ = static_cast<io_uring_buf_ring*>(pages);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(pages);
  registration.ring_entries = kCount;
  registration.bgid = kGroup;
  int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result < 0) die("register the buffer ring", -result);
  for (uint16_t id = 0; id < kCount; ++id) give_back(id);
  publish();
}

}  // namespace lunar::bench
