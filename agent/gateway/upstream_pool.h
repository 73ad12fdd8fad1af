// Idle keep-alive connections to providers, by destination. The most recently used goes out first; one that says
// anything, ends or fails while idle is closed at once.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "agent/uring/stream.h"

namespace lunar::gateway {

// One thread. A connection that authenticated a user (NTLM, Negotiate) must never be put here.
class UpstreamPool {
 public:
  static constexpr size_t most_idle = 16384;
  static constexpr Nanoseconds longest_idle = std::chrono::seconds(90);
  // So short that hardly a provider or a middlebox has forgotten the connection.
  static constexpr Nanoseconds fresh = std::chrono::seconds(5);

  explicit UpstreamPool(uring::Loop& loop);
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;
  ~UpstreamPool();

  void put(const Endpoint& destination, uring::StreamRef connection);
  // Null: none has been idle for less than `limit`.
  [[nodiscard]] uring::StreamRef take(const Endpoint& destination, Nanoseconds limit = longest_idle);
  [[nodiscard]] bool has(const Endpoint& destination) const;
  void evict(size_t count);  // the longest idle
  [[nodiscard]] size_t size() const { return size_; }

 private:
  // In two lists: of its destination (newest first), and of all (oldest first).
  struct Idle {
    uring::StreamRef connection;
    UpstreamPool* pool = nullptr;
    Idle** destination_head = nullptr;  // where the destination's list begins
    Idle* newer = nullptr;              // of the same destination
    Idle* older = nullptr;
    Idle* all_newer = nullptr;
    Idle* all_older = nullptr;
    MonotonicTime since;
  };
  struct Expiry : uring::Timer {
    explicit Expiry(UpstreamPool& owner) : Timer(&due), pool(owner) {}
    static void due(uring::Timer& timer);
    UpstreamPool& pool;
  };

  [[nodiscard]] uring::StreamRef unlink(Idle* idle);
  void drop(Idle* idle);
  void expire();

  uring::Loop& loop_;
  std::unordered_map<Endpoint, Idle*> newest_;
  Idle* all_oldest_ = nullptr;
  Idle* all_newest_ = nullptr;
  size_t size_ = 0;
  Expiry expiry_;
};

}  // namespace lunar::gateway
