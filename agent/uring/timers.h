// Deadlines of one thread: a hierarchical wheel of intrusive entries, so that setting one costs a few
// instructions and no memory, however many connections wait.
#pragma once

#include <array>
#include <cstdint>

#include "agent/base/clock.h"

namespace lunar::uring {

// Embedded in whatever waits; it leaves the wheel when destroyed.
class Timer {
 public:
  using Expired = void (*)(Timer& self);
  explicit Timer(Expired expired) : expired_(expired) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  [[nodiscard]] bool armed() const { return next_ != nullptr; }
  void disarm();

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  uint64_t tick_ = 0;
  Expired expired_;
};

// Resolution one millisecond; an entry never expires early. Owned by one thread.
class TimerWheel {
 public:
  explicit TimerWheel(MonotonicTime start);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void arm(Timer& timer, MonotonicTime when);  // an armed timer is moved
  void advance(MonotonicTime now);             // runs what is due; callbacks may arm and disarm
  // How long the thread may sleep; never more than `longest`.
  [[nodiscard]] Nanoseconds until_next(MonotonicTime now, Nanoseconds longest) const;

 private:
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned slots = 1u << slot_bits;
  static constexpr unsigned levels = 4;  // together 4.6 hours; what is farther waits in the last slot for its turn

  struct Slot {
    Timer head{nullptr};
  };

  [[nodiscard]] uint64_t tick_of(MonotonicTime when) const;
  void insert(Timer& timer);
  void cascade(unsigned level);
  void expire_slot(unsigned index);
  Slot& slot_for(uint64_t tick);

  MonotonicTime start_;
  uint64_t current_ = 0;   // the last tick that was run
  uint64_t occupied_ = 0;  // a bit a slot of level 0; one that only disarmed timers left stays set until it comes round
  std::array<std::array<Slot, slots>, levels> wheel_;
};

}  // namespace lunar::uring
