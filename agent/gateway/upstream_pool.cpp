#include "agent/gateway/upstream_pool.h"

#include <new>

namespace lunar::gateway {

UpstreamPool::UpstreamPool(uring::Loop& loop) : loop_(loop), expiry_(*this) {}

UpstreamPool::~UpstreamPool() { evict(size_); }

void UpstreamPool::put(const Endpoint& destination, uring::StreamRef connection) {
  if (size_ >= most_idle) evict(1);
  auto* idle = new (uring::FramePool::allocate(sizeof(Idle))) Idle;
  idle->connection = std::move(connection);
  idle->pool = this;
  idle->since = loop_.now();
  // References to elements of an unordered_map stay valid when it grows.
  Idle*& head = newest_.try_emplace(destination, nullptr).first->second;
  idle->destination_head = &head;
  idle->older = head;
  if (head != nullptr) head->newer = idle;
  head = idle;
  idle->all_older = all_newest_;
  (all_newest_ != nullptr ? all_newest_->all_newer : all_oldest_) = idle;
  all_newest_ = idle;
  ++size_;
  idle->connection->wake(nullptr);
  idle->connection->watch(
      [](uring::Stream& stream, void* context) {
        // What only its layer had to do with, as a ticket of TLS, is nothing said.
        if (stream.input() == nullptr && !stream.end_seen() && stream.error() == 0) return;
        auto* dead = static_cast<Idle*>(context);
        dead->pool->drop(dead);
      },
      idle);
  if (!expiry_.armed()) loop_.timers().arm(expiry_, loop_.now() + longest_idle);
}

uring::StreamRef UpstreamPool::take(const Endpoint& destination, Nanoseconds limit) {
  auto found = newest_.find(destination);
  if (found == newest_.end() || found->second == nullptr || loop_.now() - found->second->since >= limit) return nullptr;
  return unlink(found->second);
}

bool UpstreamPool::has(const Endpoint& destination) const {
  auto found = newest_.find(destination);
  return found != newest_.end() && found->second != nullptr;
}

void UpstreamPool::evict(size_t count) {
  while (count-- > 0 && all_oldest_ != nullptr) drop(all_oldest_);
}

uring::StreamRef UpstreamPool::unlink(Idle* idle) {
  (idle->newer != nullptr ? idle->newer->older : *idle->destination_head) = idle->older;
  if (idle->older != nullptr) idle->older->newer = idle->newer;
  (idle->all_newer != nullptr ? idle->all_newer->all_older : all_newest_) = idle->all_older;
  (idle->all_older != nullptr ? idle->all_older->all_newer : all_oldest_) = idle->all_newer;
  --size_;
  uring::StreamRef connection = std::move(idle->connection);
  connection->watch(nullptr, nullptr);
  idle->~Idle();
  uring::FramePool::release(idle, sizeof(Idle));
  return connection;
}

void UpstreamPool::drop(Idle* idle) { unlink(idle).reset(); }

void UpstreamPool::expire() {
  while (all_oldest_ != nullptr && loop_.now() - all_oldest_->since >= longest_idle) drop(all_oldest_);
  std::erase_if(newest_, [](const auto& entry) { return entry.second == nullptr; });
  if (all_oldest_ != nullptr) loop_.timers().arm(expiry_, all_oldest_->since + longest_idle);
}

void UpstreamPool::Expiry::due(uring::Timer& timer) { static_cast<Expiry&>(timer).pool.expire(); }

}  // namespace lunar::gateway
