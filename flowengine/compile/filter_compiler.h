// The mapping `filter` of flows and quotas (flows.md §3).
#pragma once

#include <vector>

#include "flowengine/plan/filter.h"
#include "flowengine/plan/plan.h"
#include "flowengine/spec/reader.h"

namespace lunar {

struct CompiledFilter {
  Filter filter;
  std::vector<UrlPattern> patterns;
  std::vector<std::string> hosts;  // of `url` and `urls`, as written before the first `/`, lower case
  std::vector<Position> host_positions;
};

struct FilterRules {
  std::string_view missing_url_id = "filter-url-required";
  bool needs_url = true;  // false: inherited
};

[[nodiscard]] CompiledFilter compile_filter(const Value& value, FilterRules rules, Reader& reader);
// A child's filter: what it does not say is its parent's (internal limits, flows.md §8.1).
void inherit_filter(CompiledFilter& child, const CompiledFilter& parent);

}  // namespace lunar
