// A ring from one producing to one consuming thread, without locks and without waking anybody: the consumer polls.
// A full ring drops the new record and counts it, so that the producer never waits.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

namespace lunar {

template <class Record>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<Record> && std::is_trivially_destructible_v<Record>);

 public:
  // Memory is touched as it is used first; `capacity` is rounded up to a power of two.
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1),
        slots_(static_cast<Record*>(::operator new((mask_ + 1) * sizeof(Record), kAlignment))) {}

  // Producer: a fresh record to fill in, or nullptr if the ring is full (then it is counted as lost).
  // It becomes visible by publish(); claiming again before that gives the same slot anew.
  [[nodiscard]] Record* claim() {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) {
        lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return nullptr;
      }
    }
    return ::new (static_cast<void*>(slots_.get() + (tail & mask_))) Record;
  }
  void publish() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  // Consumer: calls `each(const Record&)` for up to `limit` records, oldest first; returns how many.
  template <class Each>
  size_t drain(size_t limit, Each&& each) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    uint64_t end = tail_.load(std::memory_order_acquire);
    if (end - head > limit) end = head + limit;
    for (uint64_t at = head; at != end; ++at) {
      each(static_cast<const Record&>(slots_.get()[at & mask_]));
      head_.store(at + 1, std::memory_order_release);
    }
    return static_cast<size_t>(end - head);
  }

  // Consumer: how many records are there at least.
  [[nodiscard]] size_t waiting() const {
    return static_cast<size_t>(tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed));
  }
  [[nodiscard]] uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }  // since creation; any thread
  [[nodiscard]] size_t capacity() const { return mask_ + 1; }

 private:
  static constexpr size_t kCacheLine = 64;
  static constexpr std::align_val_t kAlignment{kCacheLine};
  struct Free {
    void operator()(Record* slots) const { ::operator delete(slots, kAlignment); }
  };

  const uint64_t mask_;
  const std::unique_ptr<Record, Free> slots_;
  alignas(kCacheLine) std::atomic<uint64_t> tail_{0};  // the producer's line
  uint64_t head_seen_ = 0;
  std::atomic<uint64_t> lost_{0};
  alignas(kCacheLine) std::atomic<uint64_t> head_{0};  // the consumer's line
};

}  // namespace lunar
