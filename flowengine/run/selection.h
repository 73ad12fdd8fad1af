// Which flows and quotas concern a request: found on the borrowed message, before anything is copied or held.
#pragma once

#include <vector>

#include "flowengine/plan/plan.h"
#include "flowengine/run/context.h"

namespace lunar {

struct SelectedFlow {
  uint32_t flow = 0;
  uint32_t rank = 0;
  uint32_t pattern = 0;  // index in Plan::owners, of its most specific pattern that matches
  PathParams params;
  bool undecided = false;  // its request side needs the body
};

struct SelectedQuota {
  uint32_t node = 0;
  uint32_t rank = 0;
  uint32_t pattern = 0;
  PathParams params;  // where its filter asks for them
  bool undecided = false;
};

struct Selection {
  std::vector<SelectedFlow> flows;    // in request order: least specific first (flows.md §4)
  std::vector<SelectedQuota> quotas;  // nodes whose filter matches
  BodyUse body;                       // what the flows and quotas among them may need

  [[nodiscard]] bool empty() const { return flows.empty() && quotas.empty(); }
};

// Reused from request to request, so that finding nothing allocates nothing.
struct SelectionScratch {
  std::vector<uint32_t> patterns;
};

// Whether some pattern matches the URL, whatever the filters say: decides for most requests that no flow concerns them,
// before there is a Request. What was found stays in `scratch` for select_among().
[[nodiscard]] bool any_pattern(const Plan& plan, std::string_view host, uint16_t port, std::string_view path,
                               SelectionScratch& scratch);
// `out` is cleared first. A body that is not there yet counts as pending.
void select_among(const SelectionScratch& found, const Plan& plan, const Request& request, Dice& dice, Selection& out);
// Both steps.
void select(const Plan& plan, const Request& request, Dice& dice, SelectionScratch& scratch, Selection& out);
// Decides what was undecided, now that the body is there or will never be.
void settle(const Plan& plan, const Request& request, Dice& dice, Selection& selection);

}  // namespace lunar
