#include "agent/uring/timers.h"

#include <algorithm>
#include <bit>

namespace lunar::uring {
namespace {

constexpr Nanoseconds tick_length = std::chrono::milliseconds(1);

}  // namespace

void Timer::disarm() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = nullptr;
  previous_ = nullptr;
}

TimerWheel::TimerWheel(MonotonicTime start) : start_(start) {
  for (auto& level : wheel_) {
    for (auto& slot : level) slot.head.next_ = slot.head.previous_ = &slot.head;
  }
}

// Rounded up: the tick that contains `when` would be up to one tick early.
uint64_t TimerWheel::tick_of(MonotonicTime when) const {
  if (when <= start_) return 0;
  return static_cast<uint64_t>((when - start_ - Nanoseconds(1)) / tick_length) + 1;
}

void TimerWheel::arm(Timer& timer, MonotonicTime when) {
  timer.disarm();
  timer.tick_ = std::max(tick_of(when), current_ + 1);
  insert(timer);
}

TimerWheel::Slot& TimerWheel::slot_for(uint64_t tick) {
  constexpr uint64_t farthest = (1ull << (slot_bits * levels)) - 1;
  uint64_t distance = std::min(tick - current_, farthest);
  tick = current_ + distance;
  unsigned level = 0;
  while (level + 1 < levels && distance >> (slot_bits * (level + 1)) != 0) ++level;
  if (level == 0) occupied_ |= 1ull << (tick & (slots - 1));
  return wheel_[level][(tick >> (slot_bits * level)) & (slots - 1)];
}

void TimerWheel::insert(Timer& timer) {
  Timer& head = slot_for(timer.tick_).head;
  timer.next_ = &head;
  timer.previous_ = head.previous_;
  head.previous_->next_ = &timer;
  head.previous_ = &timer;
}

// Brings the entries of the slot that has come round one level down.
void TimerWheel::cascade(unsigned level) {
  Slot& slot = wheel_[level][(current_ >> (slot_bits * level)) & (slots - 1)];
  while (slot.head.next_ != &slot.head) {
    Timer& timer = *slot.head.next_;
    timer.disarm();
    insert(timer);
  }
}

void TimerWheel::expire_slot(unsigned index) {
  Timer& head = wheel_[0][index].head;
  occupied_ &= ~(1ull << index);
  while (head.next_ != &head) {
    Timer& timer = *head.next_;
    timer.disarm();
    timer.expired_(timer);
  }
}

void TimerWheel::advance(MonotonicTime now) {
  // Rounded down: a tick is run when it has passed completely.
  uint64_t target = now <= start_ ? 0 : static_cast<uint64_t>((now - start_) / tick_length);
  while (current_ < target) {
    // With nothing due before the next cascade the ticks up to it need no look: a process that was stopped for an
    // hour is back at once.
    if (occupied_ == 0) current_ = std::max(current_, std::min(target, (current_ | (slots - 1)) + 1) - 1);
    ++current_;
    for (unsigned level = 1; level < levels && (current_ & ((1ull << (slot_bits * level)) - 1)) == 0; ++level)
      cascade(level);
    expire_slot(current_ & (slots - 1));
  }
}

Nanoseconds TimerWheel::until_next(MonotonicTime now, Nanoseconds longest) const {
  uint64_t ahead = std::rotr(occupied_, static_cast<int>((current_ + 1) & (slots - 1)));
  uint64_t distance = ahead == 0 ? slots : static_cast<uint64_t>(std::countr_zero(ahead)) + 1;
  // Entries of a higher level come down at the boundary at the latest: waking there may be early, never late.
  distance = std::min<uint64_t>(distance, slots - (current_ & (slots - 1)));
  return std::clamp<Nanoseconds>(start_ + (current_ + distance) * tick_length - now, Nanoseconds::zero(), longest);
}

}  // namespace lunar::uring
