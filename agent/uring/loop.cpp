#include "agent/uring/loop.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lunar::uring {

Waker::~Waker() {
  if (!queued_) return;
  for (auto* queue : {&loop_.ready_, &loop_.running_}) std::ranges::replace(*queue, this, static_cast<Waker*>(nullptr));
}

void Waker::signal() {
  if (signalled_) return;
  signalled_ = true;
  if (!queued_) {
    queued_ = true;
    loop_.ready_.push_back(this);
  }
}

bool Waker::Wait::await_ready() const noexcept { return waker.signalled_; }

Waker::Wait Waker::wait(MonotonicTime deadline) {
  deadline_ = deadline;
  // A timer that fires too early is set again when it does: a deadline that only ever moves away, as that of an
  // idle connection, costs one store.
  if (deadline < armed_for_) {
    armed_for_ = deadline;
    loop_.timers_.arm(*this, deadline);
  }
  return Wait{*this};
}

void Waker::expired(Timer& timer) {
  auto& self = static_cast<Waker&>(timer);
  self.armed_for_ = MonotonicTime::max();
  if (self.deadline_ > self.loop_.now_) {
    if (self.deadline_ != MonotonicTime::max()) {
      self.armed_for_ = self.deadline_;
      self.loop_.timers_.arm(timer, self.deadline_);
    }
    return;
  }
  self.signal();
}

Loop::Loop() : mailbox_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), mailbox_error_(mailbox_fd_ ? 0 : errno) {}

Loop::~Loop() { buffers_.close(ring_); }

Result<> Loop::open(unsigned buffers) {
  if (!mailbox_fd_) return fail(std::string("eventfd: ") + strerror(mailbox_error_), mailbox_error_);
  if (auto opened = ring_.open(1024); !opened) return opened;
  if (auto opened = buffers_.open(ring_, buffers); !opened) return opened;
  watch_mailbox();
  return {};
}

void Loop::Mailbox::completed(Operation& operation, int32_t result, uint32_t flags) {
  Loop& loop = static_cast<Mailbox&>(operation).loop;
  // Where the completion queue overflows, a multishot poll may end with -ECANCELED. Set anew it fires at once for
  // what was posted meanwhile.
  if (result >= 0) loop.run_posted();
  if ((flags & IORING_CQE_F_MORE) == 0) loop.watch_mailbox();
}

void Loop::watch_mailbox() { io_uring_prep_poll_multishot(ring_.prepare(mailbox_), mailbox_fd_.get(), POLLIN); }

void Loop::post(std::function<void()> work) {
  {
    std::lock_guard lock(mailbox_mutex_);
    posted_.push_back(std::move(work));
  }
  uint64_t one = 1;
  // Only a full counter can refuse, and then the loop is awake already.
  [[maybe_unused]] auto written = write(mailbox_fd_.get(), &one, sizeof one);
}

void Loop::run_posted() {
  uint64_t count = 0;
  [[maybe_unused]] auto drained = read(mailbox_fd_.get(), &count, sizeof count);
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(mailbox_mutex_);
    work.swap(posted_);
  }
  for (auto& each : work) each();
}

void Loop::run_ready() {
  // Those that become ready meanwhile come in the next round: completions get their turn in between.
  running_.swap(ready_);
  for (Waker* waker : running_) {
    if (waker == nullptr) continue;
    waker->queued_ = false;
    if (waker->sleeper_ && waker->signalled_) std::exchange(waker->sleeper_, nullptr).resume();
  }
  running_.clear();
}

Result<> Loop::run(Nanoseconds beat, const std::function<void(MonotonicTime)>& turn) {
  stopping_ = false;
  while (!stopping_) {
    now_ = monotonic_now();
    turn(now_);
    timers_.advance(now_);
    run_ready();
    buffers_.provide();
    bool idle = ready_.empty() && !stopping_;
    Nanoseconds longest = idle ? timers_.until_next(now_, beat) : Nanoseconds::zero();
    if (auto done = ring_.submit_and_complete(longest); !done) return std::unexpected(done.error());
    now_ = monotonic_now();
    run_ready();
  }
  return {};
}

}  // namespace lunar::uring
