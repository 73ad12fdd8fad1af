// What became of the guard's decisions: counted, dated, and said to the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "agent/failsafe/guard.h"

namespace lunar {

class TransitionRecord {
 public:
  using Key = std::tuple<GuardState, GuardState, GuardReason>;  // from, to, reason

  // A return to protection is information, everything else a warning. `circumstances` goes to the line's end.
  void note(const GuardTransition& transition, const std::string& circumstances);
  [[nodiscard]] const std::map<Key, uint64_t>& counts() const { return counts_; }
  [[nodiscard]] std::chrono::system_clock::time_point since() const { return since_; }

 private:
  std::map<Key, uint64_t> counts_;
  std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
};

}  // namespace lunar
