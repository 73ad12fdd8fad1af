// One transaction as a HAR 1.2 entry (gateway.md §12), without what only the agent knows (time, timings, address).
#pragma once

#include <vector>

#include "flowengine/expr/json.h"
#include "flowengine/processors/processor.h"

namespace lunar {

struct Obfuscation {
  bool enabled = false;
  std::vector<Expression> exclusions;  // stay readable
};

[[nodiscard]] Json har_entry(Context& context, const Obfuscation& obfuscation);
[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace lunar
