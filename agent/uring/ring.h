// The io_uring of one thread: submission, completion and the probe for what the kernel can do.
#pragma once

#include <liburing.h>

#include <functional>

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

  // Never null: a full submission queue is submitted first. The caller fills it and sets the operation.
  [[nodiscard]] io_uring_sqe* prepare(Operation& operation);
  // Asks the kernel to end `target`, which then completes with -ECANCELED unless it was quicker.
  void cancel(Operation& target);

  // Submits what was prepared and waits for one completion or for `longest`; then completes all that is there.
  // Returns the number of completions; only a broken ring is an error.
  [[nodiscard]] Result<unsigned> submit_and_complete(Nanoseconds longest);

  [[nodiscard]] io_uring& native() { return ring_; }

  // Why this kernel cannot run the data path, with the way out; empty when it can.
  [[nodiscard]] static std::string missing_on_this_kernel();

 private:
  io_uring ring_{};
  bool open_ = false;
};

}  // namespace lunar::uring
