#include "flowengine/run/selection.h"

#include <algorithm>

namespace lunar {
namespace {

// Of several patterns of one flow the most specific one counts.
void note_flow(uint32_t flow, uint32_t rank, uint32_t pattern, Selection& out) {
  auto known = std::ranges::find(out.flows, flow, &SelectedFlow::flow);
  if (known == out.flows.end()) {
    out.flows.push_back({.flow = flow, .rank = rank, .pattern = pattern, .params = {}});
  } else if (rank > known->rank) {
    known->rank = rank;
    known->pattern = pattern;
  }
}

void note_quota(const PatternOwner& owner, uint32_t pattern, Selection& out) {
  auto known = std::ranges::find(out.quotas, owner.index, &SelectedQuota::node);
  if (known == out.quotas.end()) {
    out.quotas.push_back({.node = owner.index, .rank = owner.rank, .pattern = pattern, .params = {}});
  } else if (owner.rank > known->rank) {
    known->rank = owner.rank;
    known->pattern = pattern;
  }
}

// Filters of one request against the plan's flows and quotas.
class Matcher {
 public:
  Matcher(const Plan& plan, const Request& request, Dice& dice, BodyKnown body)
      : plan_(plan), request_(request), dice_(dice), body_(body), view_(request, nullptr) {}

  [[nodiscard]] Match flow(const SelectedFlow& selected) {
    const Flow& flow = plan_.flows[selected.flow];
    if (!sampled(flow.filter, flow.name)) return Match::no;
    return flow.filter.request(view_, request_, selected.params, body_);
  }
  // Whether this transaction belongs to the sample of what has that name.
  [[nodiscard]] bool sampled(const Filter& filter, std::string_view name) {
    return filter.sample_percentage == 0 || dice_.kept_roll(name) * 100 < filter.sample_percentage;
  }
  [[nodiscard]] Match quota(const SelectedQuota& selected) {
    const Filter& filter = plan_.quota_rules[selected.node].filter;
    if (!sampled(filter, plan_.quotas.nodes[selected.node].id)) return Match::no;
    return filter.request(view_, request_, selected.params, body_);
  }

 private:
  const Plan& plan_;
  const Request& request_;
  Dice& dice_;
  BodyKnown body_;
  View view_;
};

bool needs_request_body(const Plan& plan, uint32_t node) {
  const auto& counter = plan.quota_rules[node].counter;
  return counter && counter->root() == Root::request && counter->needs_body();
}

}  // namespace

bool any_pattern(const Plan& plan, std::string_view host, uint16_t port, std::string_view path,
                 SelectionScratch& scratch) {
  scratch.patterns.clear();
  plan.selector.find(host, port, path, scratch.patterns);
  return !scratch.patterns.empty();
}

void select(const Plan& plan, const Request& request, Dice& dice, SelectionScratch& scratch, Selection& out) {
  (void)any_pattern(plan, request.host, request.port, request.path, scratch);
  select_among(scratch, plan, request, dice, out);
}

void select_among(const SelectionScratch& found, const Plan& plan, const Request& request, Dice& dice, Selection& out) {
  out.flows.clear();
  out.quotas.clear();
  out.body = {};
  for (uint32_t pattern : found.patterns) {
    const PatternOwner& owner = plan.owners[pattern];
    if (owner.quota) {
      note_quota(owner, pattern, out);
    } else {
      note_flow(owner.index, owner.rank, pattern, out);
    }
  }
  Matcher matcher(plan, request, dice, BodyKnown::pending);
  std::erase_if(out.flows, [&](SelectedFlow& selected) {
    selected.params = plan.selector.params_of(selected.pattern, request.host, request.path);
    Match match = matcher.flow(selected);
    if (match == Match::no) return true;
    selected.undecided = match == Match::needs_body;
    out.body |= plan.flows[selected.flow].body;
    out.body.hold_request = out.body.hold_request || selected.undecided;
    return false;
  });
  std::erase_if(out.quotas, [&](SelectedQuota& selected) {
    const Filter& filter = plan.quota_rules[selected.node].filter;
    if (!filter.path_params.empty() || !filter.request_expressions.empty())
      selected.params = plan.selector.params_of(selected.pattern, request.host, request.path);
    Match match = matcher.quota(selected);
    if (match == Match::no) return true;
    selected.undecided = match == Match::needs_body;
    out.body.hold_request = out.body.hold_request || selected.undecided || needs_request_body(plan, selected.node);
    return false;
  });
  std::ranges::sort(out.flows, [](const SelectedFlow& left, const SelectedFlow& right) {
    return left.rank != right.rank ? left.rank < right.rank : left.flow < right.flow;
  });
}

void settle(const Plan& plan, const Request& request, Dice& dice, Selection& selection) {
  Matcher matcher(plan, request, dice, BodyKnown::settled);
  std::erase_if(selection.flows,
                [&](SelectedFlow& selected) { return selected.undecided && matcher.flow(selected) != Match::yes; });
  std::erase_if(selection.quotas,
                [&](SelectedQuota& selected) { return selected.undecided && matcher.quota(selected) != Match::yes; });
}

}  // namespace lunar
