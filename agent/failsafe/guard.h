// Decides whether the hook may redirect. Pure: facts and the time come in, the decision goes out; it can only ever
// make the kernel's own per-connect decision stricter. The states and their edges are those of the specification.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/base/clock.h"

namespace lunar {

enum class GuardState : uint8_t { detached, protecting, bypass, cooldown };

enum class GuardReason : uint8_t {
  start,
  probe_answered,
  heartbeat_late,
  gateway_died,
  probes_failed,
  healthy,
  operator_bypass,
  operator_resume,
  hook_gone,
  shutdown,
};

[[nodiscard]] std::string_view name(GuardState state);
[[nodiscard]] std::string_view name(GuardReason reason);

struct GuardLimits {
  uint32_t enter_after = 5;
  Nanoseconds exit_after = std::chrono::seconds(10);
};

constexpr size_t kGuardWorkers = 64;
using WorkerSet = std::bitset<kGuardWorkers>;

struct GuardFacts {
  bool capturing = false;        // capture is enabled and the hook is in the kernel
  bool stopping = false;         // a shutdown was asked for
  bool gateway_running = false;  // a gateway process exists and has said that it is ready
  WorkerSet alive;               // workers whose heartbeat is younger than the deadline
};

struct GuardDecision {
  bool redirect = false;  // the armed flag of the hook
  bool attach = false;    // whether links belong in the kernel at all
  bool operator==(const GuardDecision&) const = default;
};

struct GuardTransition {
  GuardState from, to;
  GuardReason reason;
  uint32_t failed_probes;  // consecutive failures at that moment
};

class Guard {
 public:
  Guard(GuardLimits limits, size_t workers, MonotonicTime now);

  // Each returns the transition that it caused. `observe` is also what lets time act: call it on every change of a
  // fact, and several times within a heartbeat deadline.
  [[nodiscard]] std::optional<GuardTransition> observe(const GuardFacts& facts, MonotonicTime now);
  [[nodiscard]] std::optional<GuardTransition> probe(size_t worker, bool answered, MonotonicTime now);
  [[nodiscard]] std::optional<GuardTransition> set_operator_bypass(bool on, MonotonicTime now);

  [[nodiscard]] GuardDecision decision() const;
  [[nodiscard]] GuardState state() const { return state_; }
  [[nodiscard]] MonotonicTime since() const { return since_; }
  [[nodiscard]] GuardReason reason() const { return reason_; }
  [[nodiscard]] bool operator_bypass() const { return operator_bypass_; }
  [[nodiscard]] uint32_t failed_probes() const;  // the worst worker's consecutive failures

 private:
  struct Edge {
    GuardState to;
    GuardReason reason;
  };
  [[nodiscard]] std::optional<Edge> edge(MonotonicTime now) const;
  [[nodiscard]] std::optional<Edge> edge_from_detached() const;
  [[nodiscard]] std::optional<Edge> edge_from_protecting() const;
  [[nodiscard]] std::optional<Edge> edge_from_bypass() const;
  [[nodiscard]] std::optional<Edge> edge_from_cooldown(MonotonicTime now) const;
  [[nodiscard]] std::optional<GuardTransition> advance(MonotonicTime now);
  [[nodiscard]] bool heartbeat_fresh() const { return facts_.gateway_running && facts_.alive.any(); }

  GuardLimits limits_;
  size_t workers_;
  GuardFacts facts_;
  bool operator_bypass_ = false;
  GuardState state_ = GuardState::detached;
  GuardReason reason_ = GuardReason::start;
  MonotonicTime since_;
  MonotonicTime last_failure_;
  bool answered_since_failure_ = false;
  std::array<uint32_t, kGuardWorkers> failures_{};
};

}  // namespace lunar
