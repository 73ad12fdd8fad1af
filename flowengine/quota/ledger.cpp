#include "flowengine/quota/ledger.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lunar {
namespace {

NodeCounter fresh_counter(const QuotaNode& node, const LocalZone& zone) {
  if (const auto* window = std::get_if<FixedWindow>(&node.strategy))
    return NodeCounter(std::in_place_type<WindowNode>, *window, !node.group_by_header.empty(), zone);
  if (const auto* slots = std::get_if<Concurrent>(&node.strategy))
    return NodeCounter(std::in_place_type<ConcurrentNode>, *slots);
  return NodeCounter(std::in_place_type<HeaderNode>);
}

void redefine(NodeCounter& counter, const QuotaNode& node, const LocalZone& zone, const Instant& now) {
  if (auto* window = std::get_if<WindowNode>(&counter))
    window->redefine(std::get<FixedWindow>(node.strategy), zone, now);
  if (auto* slots = std::get_if<ConcurrentNode>(&counter)) slots->redefine(std::get<Concurrent>(node.strategy));
}

Check check(NodeCounter& counter, const Claim& claim, TransactionId transaction, const Instant& now) {
  if (auto* window = std::get_if<WindowNode>(&counter)) return window->check(claim, now);
  if (auto* slots = std::get_if<ConcurrentNode>(&counter)) return slots->check(transaction, now);
  return std::get<HeaderNode>(counter).check(now);
}

void admit(NodeCounter& counter, const Claim& claim, TransactionId transaction, const Instant& now) {
  if (auto* window = std::get_if<WindowNode>(&counter)) {
    window->admit(claim, now);
  } else if (auto* slots = std::get_if<ConcurrentNode>(&counter)) {
    slots->admit(transaction, now);
  } else {
    std::get<HeaderNode>(counter).admit(transaction, now);
  }
}

std::string_view strategy_name(const NodeCounter& counter) {
  if (std::holds_alternative<WindowNode>(counter)) return "fixed_window";
  return std::holds_alternative<ConcurrentNode>(counter) ? "concurrent" : "header_based";
}

void view_windows(WindowNode& node, NodeView& out, size_t most, const Instant& now) {
  out.overflowed = node.overflowed();
  node.for_each(now, [&](std::string_view group, const Window& window) {
    if (out.groups.size() >= most) return;
    GroupView& one = out.groups.emplace_back();
    one.group = group;
    one.limit = node.rules().limit(window);
    one.used = window.used;
    if (window.open) one.ends = node.rules().closes(window, now);
  });
}

void view_knowledge(HeaderNode& node, NodeView& out, const Instant& now) {
  node.update(now);
  out.unreadable = node.unreadable();
  if (!node.knowledge() && !node.block()) return;
  GroupView& one = out.groups.emplace_back();
  one.group = default_group;
  if (const auto& known = node.knowledge()) {
    one.limit = known->remaining + known->admitted;
    one.used = known->admitted;
    one.ends = wall_time(known->until, now);
  }
  if (node.block()) one.blocked_until = wall_time(node.block()->until, now);
}

}  // namespace

Binding Ledger::bind(const QuotaSet& set, const Instant& now) {
  auto bound = std::make_shared<BoundQuotas>();
  decltype(current_) next;
  for (const QuotaNode& node : set.nodes) {
    std::string signature = strategy_signature(node);
    auto old = current_.find(node.id);
    std::shared_ptr<QuotaState> state;
    if (old != current_.end() && old->second->signature == signature) {
      state = old->second;
      redefine(state->counter, node, zone_, now);
    } else {
      state = std::make_shared<QuotaState>(QuotaState{node.id, std::move(signature), fresh_counter(node, zone_)});
    }
    take_over_saved(*state, now);
    next.insert_or_assign(node.id, state);
    auto index = static_cast<uint32_t>(bound->nodes.size());
    bound->roots.push_back(node.parent ? bound->roots[*node.parent] : index);
    bound->nodes.push_back(std::move(state));
  }
  current_ = std::move(next);
  return bound;
}

Verdict Ledger::acquire(const Binding& binding, std::span<const Claim> chain, TransactionId transaction,
                        const Instant& now) {
  Verdict verdict;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (chain[i].counted) continue;
    Check one = check(binding->at(chain[i].node).counter, chain[i], transaction, now);
    if (one.admitted) continue;
    if (verdict.kind == Verdict::Kind::admitted) verdict.refused_by = i;
    if (one.never) return {.kind = Verdict::Kind::never, .refused_by = i};
    verdict.kind = Verdict::Kind::refused;
    verdict.earliest = std::max(verdict.earliest, one.earliest);
  }
  if (!verdict) return verdict;
  for (const Claim& claim : chain)
    if (!claim.counted) admit(binding->at(claim.node).counter, claim, transaction, now);
  return verdict;
}

bool Ledger::ever_admits(const Binding& binding, std::span<const Claim> chain) {
  return std::ranges::all_of(chain, [&](const Claim& claim) {
    const auto* window = std::get_if<WindowNode>(&binding->at(claim.node).counter);
    return window == nullptr || claim.counted || window->rules().ever_admits(claim.amount);
  });
}

void Ledger::count_automatically(const Binding& binding, std::span<Claim> claims, TransactionId transaction,
                                 const Instant& now) {
  for (Claim& claim : claims) {
    NodeCounter& counter = binding->at(claim.node).counter;
    if (auto* window = std::get_if<WindowNode>(&counter)) {
      bool at_once = window->rules().definition().counter != Counter::response;
      claim.counted = at_once && window->count_up_to_limit(claim.group, claim.amount, now);
    } else if (auto* slots = std::get_if<ConcurrentNode>(&counter)) {
      claim.counted = slots->check(transaction, now).admitted;
      if (claim.counted) slots->admit(transaction, now);
    } else {
      claim.counted = std::get<HeaderNode>(counter).count_up_to_limit(transaction, now);
    }
  }
}

void Ledger::add(const Binding& binding, const Claim& claim, Bound bound, const Instant& now) {
  auto* window = std::get_if<WindowNode>(&binding->at(claim.node).counter);
  if (window == nullptr) return;
  if (bound == Bound::limit) {
    window->count_up_to_limit(claim.group, claim.amount, now);
  } else {
    window->add(claim.group, claim.amount, now);
  }
}

bool Ledger::release(const Binding& binding, uint32_t node, TransactionId transaction, const Instant& now) {
  auto* slots = std::get_if<ConcurrentNode>(&binding->at(node).counter);
  return slots != nullptr && slots->release(transaction, now);
}

bool Ledger::learn(const Binding& binding, uint32_t node, TransactionId transaction, const ToldHeaders& told,
                   const Instant& now) {
  auto* header = std::get_if<HeaderNode>(&binding->at(node).counter);
  return header != nullptr && header->learn(transaction, told, now);
}

bool Ledger::end_flight(const Binding& binding, uint32_t node, TransactionId transaction) {
  auto* header = std::get_if<HeaderNode>(&binding->at(node).counter);
  return header != nullptr && header->end_flight(transaction);
}

void Ledger::sweep(const Instant& now) {
  for (auto& [id, state] : current_) {
    if (auto* window = std::get_if<WindowNode>(&state->counter)) window->forget_closed(now);
    if (auto* slots = std::get_if<ConcurrentNode>(&state->counter)) slots->sweep(now);
  }
}

std::vector<NodeView> Ledger::view(const Instant& now, size_t most) const {
  std::vector<NodeView> views;
  for (const auto& [id, state] : current_) {
    NodeView& one = views.emplace_back();
    one.id = id;
    one.strategy = strategy_name(state->counter);
    if (auto* window = std::get_if<WindowNode>(&state->counter)) view_windows(*window, one, most, now);
    if (auto* header = std::get_if<HeaderNode>(&state->counter)) view_knowledge(*header, one, now);
    if (auto* slots = std::get_if<ConcurrentNode>(&state->counter)) {
      slots->drop_expired(now);
      one.groups.push_back({std::string(default_group), slots->definition().max_requests, slots->live(), {}, {}});
    }
  }
  return views;
}

nlohmann::json Ledger::save(const Instant& now) const {
  std::vector<SavedNode> nodes;
  for (const auto& [id, state] : current_) {
    SavedNode node;
    if (auto* window = std::get_if<WindowNode>(&state->counter)) node = saved_windows(*window, now);
    if (auto* header = std::get_if<HeaderNode>(&state->counter)) node = saved_knowledge(*header, now);
    if (node.windows.empty() && !node.remaining && !node.blocked_until) continue;
    node.id = id;
    node.signature = state->signature;
    nodes.push_back(std::move(node));
  }
  return to_json(nodes);
}

Result<> Ledger::restore(const nlohmann::json& snapshot, const Instant& now) {
  auto nodes = saved_nodes(snapshot);
  if (!nodes) return std::unexpected(nodes.error());
  for (SavedNode& node : *nodes) saved_.insert_or_assign(std::string(node.id), std::move(node));
  for (auto& [id, state] : current_) take_over_saved(*state, now);
  return {};
}

void Ledger::take_over_saved(QuotaState& state, const Instant& now) {
  auto saved = saved_.find(state.id);
  if (saved == saved_.end()) return;
  auto* window = std::get_if<WindowNode>(&state.counter);
  auto* header = std::get_if<HeaderNode>(&state.counter);
  if (saved->second.signature == state.signature) {
    if (window != nullptr) restore_windows(saved->second, *window, now);
    if (header != nullptr) restore_knowledge(saved->second, *header, now);
  }
  saved_.erase(saved);
}

}  // namespace lunar
