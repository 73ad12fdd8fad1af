#include "agent/failsafe/transition_record.h"

#include "agent/base/log.h"

namespace lunar {

void TransitionRecord::note(const GuardTransition& transition, const std::string& circumstances) {
  ++counts_[{transition.from, transition.to, transition.reason}];
  since_ = std::chrono::system_clock::now();
  const bool returned = transition.to == GuardState::protecting;
  const bool asked = transition.reason == GuardReason::shutdown || transition.reason == GuardReason::hook_gone;
  const auto level = returned || asked ? spdlog::level::info : spdlog::level::warn;
  spdlog::log(level, "failsafe: {} -> {} ({}); failed probes {}, {}", name(transition.from), name(transition.to),
              name(transition.reason), transition.failed_probes, circumstances);
}

}  // namespace lunar
