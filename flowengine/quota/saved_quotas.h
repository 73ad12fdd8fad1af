// The counters of quotas as a snapshot has them (flows.md §8.8): everything by the clock of people, since the other one
// begins anew with the machine.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "flowengine/instant.h"
#include "flowengine/quota/node_counters.h"
#include "flowengine/result.h"

namespace lunar {

struct SavedWindow {
  std::string group;
  int64_t used = 0, carry = 0;
  bool open = false;
  WallTime opened{}, closes{}, carry_ends{};
  std::optional<WallTime> renewal;
};

struct SavedNode {
  std::string id, signature;
  std::vector<SavedWindow> windows;
  // What a provider said: how much is left, and until when; and until when it wants no requests.
  std::optional<int64_t> remaining;
  WallTime until{};
  bool reset_given = false;
  std::optional<WallTime> blocked_until;
};

[[nodiscard]] nlohmann::json to_json(const std::vector<SavedNode>& nodes);
[[nodiscard]] Result<std::vector<SavedNode>> saved_nodes(const nlohmann::json& snapshot);

[[nodiscard]] SavedNode saved_windows(WindowNode& node, const Instant& now);
[[nodiscard]] SavedNode saved_knowledge(HeaderNode& node, const Instant& now);
void restore_windows(const SavedNode& saved, WindowNode& node, const Instant& now);
void restore_knowledge(const SavedNode& saved, HeaderNode& node, const Instant& now);

}  // namespace lunar
