#include "flowengine/run/quota_use.h"

#include <algorithm>

namespace lunar {
namespace {

const FixedWindow* window_of(const QuotaNode& node) { return std::get_if<FixedWindow>(&node.strategy); }

}  // namespace

Claim QuotaUse::claim_for(uint32_t index) {
  const QuotaNode& node = plan_.quotas.nodes[index];
  Claim out{.node = index};
  if (!node.group_by_header.empty()) out.group = request_.group_value(node.group_by_header).value_or(default_group);
  const FixedWindow* window = window_of(node);
  if (window == nullptr || window->counter == Counter::one) return out;
  const auto& path = plan_.quota_rules[index].counter;
  bool known = window->counter == Counter::request && path;
  out.amount = known ? std::max<int64_t>(path->first_integer(view_).value_or(0), 0) : 0;
  return out;
}

QuotaUse::Touched* QuotaUse::touched(uint32_t node) {
  auto found = std::ranges::find(touched_, node, &Touched::node);
  return found == touched_.end() ? nullptr : &*found;
}

void QuotaUse::touch(const Claim& claim, bool automatic) {
  Touched* known = touched(claim.node);
  if (known != nullptr) {
    known->automatic = known->automatic && automatic;
    known->counted = known->counted && automatic;
    return;
  }
  touched_.push_back({claim.node, std::string(claim.group), automatic && claim.counted, automatic});
}

std::span<Claim> QuotaUse::next_automatic(const Selection& selection) {
  claims_.clear();
  while (claims_.empty() && next_ < selection.quotas.size()) {
    uint32_t node = selection.quotas[next_++].node;
    if (!plan_.quota_rules[node].automatic) continue;
    for (std::optional<uint32_t> at = node; at; at = plan_.quotas.nodes[*at].parent)
      if (touched(*at) == nullptr) claims_.push_back(claim_for(*at));
  }
  return claims_;
}

void QuotaUse::automatic_counted() {
  for (const Claim& claim : claims_) touch(claim, true);
}

std::span<const Claim> QuotaUse::chain(uint32_t node) {
  claims_.clear();
  for (std::optional<uint32_t> at = node; at; at = plan_.quotas.nodes[*at].parent) {
    Claim claim = claim_for(*at);
    const Touched* known = touched(*at);
    claim.counted = known != nullptr && known->counted;
    claims_.push_back(claim);
  }
  return claims_;
}

void QuotaUse::acquired() {
  for (const Claim& claim : claims_) touch(claim, false);
}

bool QuotaUse::wants_response(const Selection& selection) const {
  const auto learns = [this](uint32_t node) {
    return std::holds_alternative<HeaderBased>(plan_.quotas.nodes[node].strategy);
  };
  const auto wants = [this, &learns](const Touched& one) {
    const FixedWindow* window = window_of(plan_.quotas.nodes[one.node]);
    const bool counts = window != nullptr && window->counter == Counter::response;
    return learns(one.node) || counts || plan_.quota_rules[one.node].counter.has_value();
  };
  return std::ranges::any_of(selection.quotas, learns, &SelectedQuota::node) || std::ranges::any_of(touched_, wants);
}

void QuotaUse::finish(const Selection& selection, const Response* response, std::vector<Emission>& emissions) {
  for (const SelectedQuota& selected : selection.quotas) {
    bool learns = std::holds_alternative<HeaderBased>(plan_.quotas.nodes[selected.node].strategy);
    if (learns && touched(selected.node) == nullptr) touch(claim_for(selected.node), true);
  }
  for (const Touched& one : touched_) finish_node(one.node, response, emissions);
}

void QuotaUse::finish_node(uint32_t index, const Response* response, std::vector<Emission>& emissions) {
  const QuotaNode& node = plan_.quotas.nodes[index];
  bool provided = response != nullptr && response->from_provider;
  if (std::holds_alternative<Concurrent>(node.strategy)) {
    emissions.emplace_back(emission::ReleaseSlot{index});
  } else if (const auto* told = std::get_if<HeaderBased>(&node.strategy)) {
    emission::LearnQuota learn{.node = index, .answered = provided};
    auto value = [&](const std::string& name) -> std::optional<std::string> {
      const HeaderField* field = provided && !name.empty() ? response->find(name) : nullptr;
      return field == nullptr ? std::nullopt : std::optional(std::string(field->value));
    };
    learn.quota = value(told->quota_header);
    learn.reset = value(told->reset_header);
    learn.retry_after = value(told->retry_after_header);
    emissions.emplace_back(std::move(learn));
  } else if (window_of(node)->counter == Counter::response && provided) {
    const Filter& filter = plan_.quota_rules[index].filter;
    const auto& path = plan_.quota_rules[index].counter;
    const Touched* use = touched(index);
    if (!path || (use->automatic && filter.response(view_, *response, BodyKnown::settled) != Match::yes)) return;
    int64_t amount = path->first_integer(view_).value_or(0);
    if (amount > 0) emissions.emplace_back(emission::AddToQuota{index, use->group, amount, use->automatic});
  }
}

}  // namespace lunar
