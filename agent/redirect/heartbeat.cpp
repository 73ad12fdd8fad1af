#include "agent/redirect/heartbeat.h"

#include <sys/mman.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <utility>

namespace lunar {

namespace {
constexpr size_t mapped_bytes = sizeof(lunar_heartbeat) * LUNAR_MAX_WORKERS;

template <class T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_relaxed);
}
template <class T>
T load(T& field) {
  // GCC's and clang's library agree: a relaxed load through atomic_ref never writes, so read-only memory is fine.
  return std::atomic_ref<T>(field).load(std::memory_order_relaxed);
}
}  // namespace

Result<Heartbeats> Heartbeats::map(int map_fd, Access access) {
  const int protection = access == Access::write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* memory = mmap(nullptr, mapped_bytes, protection, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return fail("cannot map the heartbeat array", errno);
  return Heartbeats(static_cast<lunar_heartbeat*>(memory));
}

Heartbeats::Heartbeats(Heartbeats&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}

Heartbeats& Heartbeats::operator=(Heartbeats&& other) noexcept {
  std::swap(slots_, other.slots_);
  return *this;
}

Heartbeats::~Heartbeats() {
  if (slots_ != nullptr) munmap(slots_, mapped_bytes);
}

lunar_heartbeat& Heartbeats::slot(uint32_t worker) const {
  assert(worker < LUNAR_MAX_WORKERS);
  return slots_[worker];
}

void Heartbeats::beat(uint32_t worker, MonotonicTime now) {
  store<__u64>(slot(worker).beat_ns, static_cast<__u64>(now.time_since_epoch().count()));
}

// One writer per slot, so a load and a store need no locked instruction.
void Heartbeats::accepted(uint32_t worker, uint64_t count) {
  store<__u64>(slot(worker).accepted, load(slot(worker).accepted) + count);
}

void Heartbeats::set_busy(uint32_t worker, bool busy) { store<__u32>(slot(worker).busy, busy ? 1 : 0); }

MonotonicTime Heartbeats::last_beat(uint32_t worker) const {
  return MonotonicTime(Nanoseconds(static_cast<int64_t>(load(slot(worker).beat_ns))));
}

uint64_t Heartbeats::accepted_total(uint32_t worker) const { return load(slot(worker).accepted); }

bool Heartbeats::busy(uint32_t worker) const { return load(slot(worker).busy) != 0; }

void Heartbeats::expire(uint32_t worker) { store<__u64>(slot(worker).beat_ns, 0); }

}  // namespace lunar
