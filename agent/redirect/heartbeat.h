// The workers' signs of life, in memory shared with the hook: a beat costs one store.
#pragma once

#include <cstdint>

#include "agent/base/clock.h"
#include "bpf/lunar_abi.h"
#include "flowengine/result.h"

namespace lunar {

class Heartbeats {
 public:
  enum class Access { write, read };

  // Maps the BPF array `heartbeats`; the fd may be closed afterwards. Needs no capability.
  [[nodiscard]] static Result<Heartbeats> map(int map_fd, Access access = Access::write);
  Heartbeats(Heartbeats&& other) noexcept;
  Heartbeats& operator=(Heartbeats&& other) noexcept;
  ~Heartbeats();

  // From worker w's own event loop only: that is what the beat proves.
  void beat(uint32_t worker, MonotonicTime now);
  void accepted(uint32_t worker, uint64_t count = 1);
  void set_busy(uint32_t worker, bool busy);

  [[nodiscard]] MonotonicTime last_beat(uint32_t worker) const;  // epoch: never
  [[nodiscard]] uint64_t accepted_total(uint32_t worker) const;
  [[nodiscard]] bool busy(uint32_t worker) const;
  // Makes the slot stale at once, for a gateway known to be dead. Write access only.
  void expire(uint32_t worker);

 private:
  explicit Heartbeats(lunar_heartbeat* slots) : slots_(slots) {}
  [[nodiscard]] lunar_heartbeat& slot(uint32_t worker) const;

  lunar_heartbeat* slots_ = nullptr;
};

}  // namespace lunar
