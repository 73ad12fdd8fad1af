// The event loop of one worker thread: ring, buffers, deadlines, and the coroutines that are ready to go on.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <mutex>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/uring/buffers.h"
#include "agent/uring/ring.h"
#include "agent/uring/task.h"
#include "agent/uring/timers.h"

namespace lunar::uring {

class Loop;

// What one coroutine sleeps on. Everything that may concern it calls signal(); it looks for itself what has
// changed (level-triggered), so a wake-up without cause is harmless and none is lost.
class Waker : private Timer {
 public:
  explicit Waker(Loop& loop) : Timer(&expired), loop_(loop) {}
  ~Waker();

  void signal();

  struct Wait {
    Waker& waker;
    [[nodiscard]] bool await_ready() const noexcept;
    void await_suspend(std::coroutine_handle<> sleeper) const noexcept { waker.sleeper_ = sleeper; }
    void await_resume() const noexcept { waker.signalled_ = false; }
  };
  // Until signalled, or until `deadline` (MonotonicTime::max(): none). The caller tells the two apart by its own
  // state and the clock.
  [[nodiscard]] Wait wait(MonotonicTime deadline);

 private:
  friend class Loop;
  static void expired(Timer& timer);

  Loop& loop_;
  MonotonicTime deadline_ = MonotonicTime::max();
  MonotonicTime armed_for_ = MonotonicTime::max();
  std::coroutine_handle<> sleeper_;
  bool signalled_ = false;
  bool queued_ = false;
};

class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // On the thread that will run the loop.
  [[nodiscard]] Result<> open(unsigned buffers);

  // Calls `turn` once per turn and at least every `beat`, until stop(); an error means that the ring is broken.
  [[nodiscard]] Result<> run(Nanoseconds beat, const std::function<void(MonotonicTime)>& turn);
  void stop() { stopping_ = true; }

  // From any thread: runs `work` on the loop's thread soon. The loop must still run or be run again.
  void post(std::function<void()> work);

  [[nodiscard]] Ring& ring() { return ring_; }
  [[nodiscard]] BufferPool& buffers() { return buffers_; }
  [[nodiscard]] TimerWheel& timers() { return timers_; }
  [[nodiscard]] MonotonicTime now() const { return now_; }  // of this turn

 private:
  friend class Waker;
  struct Mailbox : Operation {
    explicit Mailbox(Loop& owner) : Operation{&completed}, loop(owner) {}
    static void completed(Operation& operation, int32_t result, uint32_t flags);
    Loop& loop;
  };

  void run_ready();
  void run_posted();
  void watch_mailbox();

  BufferPool buffers_;  // outlives the ring, whose last requests may still point into it
  Ring ring_;
  MonotonicTime now_ = monotonic_now();
  TimerWheel timers_{now_};
  std::vector<Waker*> ready_;
  std::vector<Waker*> running_;
  bool stopping_ = false;

  Fd mailbox_fd_;
  int mailbox_error_;
  Mailbox mailbox_{*this};
  std::mutex mailbox_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace lunar::uring
