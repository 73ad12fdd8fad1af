// The io_uring of one thread: submission, completion and the probe for what the kernel can do.
#pragma once

#include <liburing.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

#include "agent/base/clock.h"
#include "agent/uring/operation.h"
#include "flowengine/result.h"

namespace lunar::uring {

// Needs Linux 6.1: SINGLE_ISSUER, DEFER_TASKRUN, multishot accept and receive, provided buffer rings.
// Every call belongs to the thread that called open().
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  [[nodiscard]] Result<> open(unsigned entries);

  // Never null: a full submission queue is submitted first. The caller fills the entry before it calls the ring again.
  [[nodiscard]] io_uring_sqe* prepare(Operation& operation);
  // Memory for what the next entry points to and the kernel copies when it takes the entry: an address, a vector.
  // To be asked for before prepare(), for a full scratch submits what was prepared.
  template <class T>
  [[nodiscard]] T& scratch() {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= scratch_size && alignof(T) <= scratch_alignment);
    return *new (scratch_memory(sizeof(T))) T{};
  }

  // Asks the kernel to end `target`, which then completes with -ECANCELED unless it was quicker. `asked` completes
  // with -ENOENT when the kernel did not find it: it has completed, or is just being tried again and must be asked
  // for again.
  void cancel(Operation& target, Operation& asked);
  void cancel(Operation& target);  // without the answer

  // Submits what was prepared and waits for one completion or for `longest`; then completes all that is there.
  // Returns the number of completions; only a broken ring is an error.
  [[nodiscard]] Result<unsigned> submit_and_complete(Nanoseconds longest);

  [[nodiscard]] io_uring& native() { return ring_; }

  // Why this kernel cannot run the data path, with the way out; empty when it can.
  [[nodiscard]] static std::string missing_on_this_kernel();

 private:
  static constexpr size_t scratch_size = 32 * 1024;
  static constexpr size_t scratch_alignment = alignof(std::max_align_t);

  void submit_all();
  void* scratch_memory(size_t bytes);

  io_uring ring_{};
  bool open_ = false;
  std::unique_ptr<std::byte[]> scratch_ = std::make_unique<std::byte[]>(scratch_size);
  size_t scratch_used_ = 0;
};

}  // namespace lunar::uring
