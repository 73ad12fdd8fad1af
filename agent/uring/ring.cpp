#include "agent/uring/ring.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "agent/base/log.h"

namespace lunar::uring {
namespace {

void ignore_completion(Operation&, int32_t, uint32_t) {}

// For requests whose own completion says nothing that is not known otherwise.
Operation ignored{&ignore_completion};

// A ring may be mapped where another thread's was. The kernel orders the two, but liburing maps by system calls of its
// own, which ThreadSanitizer does not see: so this orders them once more.
std::atomic<uint32_t> unmapped{0};

}  // namespace

Ring::~Ring() {
  if (!open_) return;
  unmapped.fetch_add(1, std::memory_order_release);
  io_uring_queue_exit(&ring_);
}

Result<> Ring::open(unsigned entries) {
  io_uring_params params{};
  // SUBMIT_ALL: one request that the kernel refuses must not hold up those behind it.
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  params.cq_entries = entries * 4;
  if (int error = io_uring_queue_init_params(entries, &ring_, &params); error < 0) {
    std::string why = missing_on_this_kernel();
    return fail("cannot create an io_uring: " + (why.empty() ? std::string(strerror(-error)) : why), -error);
  }
  open_ = true;
  (void)unmapped.load(std::memory_order_acquire);
  // One reference to the ring's file less per system call; kernels that refuse it work without.
  io_uring_register_ring_fd(&ring_);
  return {};
}

io_uring_sqe* Ring::prepare(Operation& operation) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    submit_all();
    entry = io_uring_get_sqe(&ring_);
  }
  // liburing's prep functions leave user_data alone.
  entry->user_data = reinterpret_cast<uintptr_t>(&operation);
  return entry;
}

// The kernel takes entries in order and, but for want of memory, all of them.
void Ring::submit_all() {
  while (io_uring_sq_ready(&ring_) > 0) {
    int submitted = io_uring_submit(&ring_);
    if (submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -EINTR) continue;
    // Nothing that is in flight can be accounted for any more. Without this process the hook lets traffic go direct.
    log::error("io_uring_enter: {}; the gateway cannot go on", strerror(-submitted));
    std::abort();
  }
}

void* Ring::scratch_memory(size_t bytes) {
  if (io_uring_sq_ready(&ring_) == 0) scratch_used_ = 0;
  if (scratch_used_ + bytes > scratch_size) {
    submit_all();
    scratch_used_ = 0;
  }
  void* memory = scratch_.get() + scratch_used_;
  scratch_used_ += (bytes + scratch_alignment - 1) & ~(scratch_alignment - 1);
  return memory;
}

void Ring::cancel(Operation& target, Operation& asked) {
  io_uring_prep_cancel64(prepare(asked), reinterpret_cast<uintptr_t>(&target), 0);
}

void Ring::cancel(Operation& target) { cancel(target, ignored); }

Result<unsigned> Ring::submit_and_complete(Nanoseconds longest) {
  io_uring_cqe* first = nullptr;
  __kernel_timespec limit{.tv_sec = longest.count() / 1'000'000'000, .tv_nsec = longest.count() % 1'000'000'000};
  int submitted = longest > Nanoseconds::zero() ? io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr)
                                                : io_uring_submit_and_get_events(&ring_);
  if (submitted < 0 && submitted != -ETIME && submitted != -EINTR && submitted != -EBUSY && submitted != -EAGAIN) {
    return fail(std::string("io_uring_enter: ") + strerror(-submitted), -submitted);
  }
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    ++count;
    auto& operation = *reinterpret_cast<Operation*>(static_cast<uintptr_t>(entry->user_data));
    operation.complete(operation, entry->res, entry->flags);
  }
  io_uring_cq_advance(&ring_, count);
  return count;
}

std::string Ring::missing_on_this_kernel() {
  io_uring ring{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  int error = io_uring_queue_init_params(8, &ring, &params);
  if (error == 0) {
    io_uring_queue_exit(&ring);
    return {};
  }
  if (error == -EPERM)
    return "io_uring is switched off here; set sysctl kernel.io_uring_disabled=0 or allow it in the container's "
           "seccomp profile";
  if (error == -ENOSYS) return "this kernel has no io_uring; Linux 6.1 or later is needed";
  if (error == -EINVAL) return "this kernel's io_uring is too old; Linux 6.1 or later is needed";
  if (error == -ENOMEM) return "no memory may be locked for io_uring; raise LimitMEMLOCK";
  return strerror(-error);
}

}  // namespace lunar::uring
