// Why a request goes through the flows that it goes through, and why not through the others: decided by the same
// filters as in the gateway, one key at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flowengine/cases/simulation.h"
#include "flowengine/explain/declarations.h"
#include "flowengine/expr/json.h"
#include "flowengine/result.h"

namespace lunar {

struct SelectedExplanation {
  uint32_t flow = 0;    // in Plan::flows
  std::string pattern;  // the most specific one that matches
  PathParams params;
  bool needs_body = false;  // the request is held until its body is complete, to decide or to run
};

struct RejectedExplanation {
  uint32_t flow = 0;
  std::string key;  // of the filter: the first one that does not match; `url` comes first
  std::string text;
};

struct QuotaExplanation {
  std::string id;
  bool counts = false;  // by itself; else it learns from the provider's answers
};

struct Explanation {
  std::vector<SelectedExplanation> selected;  // in request order; the response order is the reverse
  std::vector<RejectedExplanation> rejected;  // by file
  std::vector<QuotaExplanation> quotas;       // nodes that concern the request without a processor naming them
};

// Samples count as met: whoever asks wants to see the flow. The body is complete; none given: it is empty. An error is
// a URL that is none.
[[nodiscard]] Result<Explanation> explain(const Plan& plan, const SimulatedRequest& call,
                                          const Declarations& declarations);

}  // namespace lunar
