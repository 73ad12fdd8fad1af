#include "agent/failsafe/guard.h"

#include <algorithm>

namespace lunar {

std::string_view name(GuardState state) {
  static constexpr std::array<std::string_view, 4> names{"detached", "protecting", "bypass", "cooldown"};
  return names.at(static_cast<size_t>(state));
}

std::string_view name(GuardReason reason) {
  static constexpr std::array<std::string_view, 10> names{
      "start",   "probe_answered",  "heartbeat_late",  "gateway_died", "probes_failed",
      "healthy", "operator_bypass", "operator_resume", "hook_gone",    "shutdown"};
  return names.at(static_cast<size_t>(reason));
}

Guard::Guard(GuardLimits limits, size_t workers, MonotonicTime now)
    : limits_(limits), workers_(std::min(workers, kGuardWorkers)), since_(now), last_failure_(now) {}

std::optional<GuardTransition> Guard::observe(const GuardFacts& facts, MonotonicTime now) {
  facts_ = facts;
  return advance(now);
}

std::optional<GuardTransition> Guard::probe(size_t worker, bool answered, MonotonicTime now) {
  if (worker >= workers_) return std::nullopt;
  // The hook already skips a worker with a stale heartbeat while another one is alive, so its silence is no
  // reason to stop redirecting to the others.
  const bool skipped_by_hook = heartbeat_fresh() && !facts_.alive.test(worker);
  if (answered || skipped_by_hook) {
    failures_[worker] = 0;
    answered_since_failure_ = answered_since_failure_ || answered;
  } else {
    ++failures_[worker];
    last_failure_ = now;
    answered_since_failure_ = false;
  }
  return advance(now);
}

std::optional<GuardTransition> Guard::set_operator_bypass(bool on, MonotonicTime now) {
  operator_bypass_ = on;
  return advance(now);
}

uint32_t Guard::failed_probes() const {
  return *std::max_element(failures_.begin(),
                           failures_.begin() + static_cast<ptrdiff_t>(std::max<size_t>(workers_, 1)));
}

GuardDecision Guard::decision() const {
  return {.redirect = state_ == GuardState::protecting,
          .attach = facts_.capturing && !facts_.stopping && state_ != GuardState::cooldown};
}

std::optional<GuardTransition> Guard::advance(MonotonicTime now) {
  const auto next = edge(now);
  if (!next) return std::nullopt;
  const GuardTransition transition{
      .from = state_, .to = next->to, .reason = next->reason, .failed_probes = failed_probes()};
  if (state_ == GuardState::cooldown && next->to == GuardState::protecting) failures_.fill(0);
  if (next->to == GuardState::cooldown) last_failure_ = now;
  state_ = next->to;
  reason_ = next->reason;
  since_ = now;
  return transition;
}

std::optional<Guard::Edge> Guard::edge(MonotonicTime now) const {
  if (state_ != GuardState::detached && facts_.stopping) return Edge{GuardState::detached, GuardReason::shutdown};
  if (state_ != GuardState::detached && !facts_.capturing) return Edge{GuardState::detached, GuardReason::hook_gone};
  switch (state_) {
    case GuardState::detached:
      return edge_from_detached();
    case GuardState::protecting:
      return edge_from_protecting();
    case GuardState::bypass:
      return edge_from_bypass();
    case GuardState::cooldown:
      return edge_from_cooldown(now);
  }
  return std::nullopt;
}

std::optional<Guard::Edge> Guard::edge_from_detached() const {
  const bool proved = heartbeat_fresh() && answered_since_failure_ && failed_probes() == 0;
  if (facts_.stopping || !facts_.capturing || operator_bypass_ || !proved) return std::nullopt;
  return Edge{GuardState::protecting, GuardReason::probe_answered};
}

std::optional<Guard::Edge> Guard::edge_from_protecting() const {
  if (operator_bypass_) return Edge{GuardState::bypass, GuardReason::operator_bypass};
  if (!facts_.gateway_running) return Edge{GuardState::bypass, GuardReason::gateway_died};
  if (failed_probes() >= limits_.enter_after) return Edge{GuardState::cooldown, GuardReason::probes_failed};
  if (!heartbeat_fresh()) return Edge{GuardState::bypass, GuardReason::heartbeat_late};
  return std::nullopt;
}

std::optional<Guard::Edge> Guard::edge_from_bypass() const {
  if (operator_bypass_) return std::nullopt;
  if (failed_probes() >= limits_.enter_after) return Edge{GuardState::cooldown, GuardReason::probes_failed};
  if (!heartbeat_fresh()) return std::nullopt;
  const bool resumed = reason_ == GuardReason::operator_bypass;
  return Edge{GuardState::protecting, resumed ? GuardReason::operator_resume : GuardReason::healthy};
}

std::optional<Guard::Edge> Guard::edge_from_cooldown(MonotonicTime now) const {
  if (operator_bypass_) return Edge{GuardState::bypass, GuardReason::operator_bypass};
  const bool healthy = heartbeat_fresh() && answered_since_failure_;
  if (!healthy || now - last_failure_ < limits_.exit_after) return std::nullopt;
  return Edge{GuardState::protecting, GuardReason::healthy};
}

}  // namespace lunar
