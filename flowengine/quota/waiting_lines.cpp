#include "flowengine/quota/waiting_lines.h"

#include <algorithm>

namespace lunar {
namespace {

using namespace std::chrono;

SteadyTime deadline_of(SteadyTime now, nanoseconds ttl) {
  return ttl > SteadyTime::max() - now ? SteadyTime::max() : now + std::max(ttl, nanoseconds(0));
}

}  // namespace

WaitingLines::CounterKey WaitingLines::counter_of(const Binding& binding, const Claim& claim) {
  const QuotaState& state = binding->at(claim.node);
  const auto* window = std::get_if<WindowNode>(&state.counter);
  bool grouped = window != nullptr && window->grouped();
  return {&state, grouped ? std::string(claim.group) : std::string()};
}

bool WaitingLines::stopped(const Tree& tree, const Binding& binding, std::span<const Claim> chain, int64_t priority) {
  if (tree.stops.empty()) return false;
  return std::ranges::any_of(chain, [&](const Claim& claim) {
    CounterKey counter = counter_of(binding, claim);
    return std::ranges::any_of(tree.stops,
                               [&](const Stop& stop) { return stop.priority <= priority && stop.counter == counter; });
  });
}

bool WaitingLines::must_wait(const Arrival& arrival) const {
  auto tree = trees_.find(&arrival.binding->root(arrival.chain.front().node));
  if (tree == trees_.end()) return false;
  auto pool = tree->second.pools.find(counter_of(arrival.binding, arrival.chain.front()));
  if (pool != tree->second.pools.end() && !pool->second.waiters.empty() &&
      pool->second.waiters.begin()->first.first <= arrival.priority)
    return true;
  return stopped(tree->second, arrival.binding, arrival.chain, arrival.priority);
}

Answer WaitingLines::arrive(const Arrival& arrival, const Instant& now) {
  if (arrival.chain.empty()) return {};
  std::optional<Verdict> verdict;
  if (waiters_.empty() || !must_wait(arrival)) {
    verdict = ledger_.acquire(arrival.binding, arrival.chain, arrival.transaction, now);
    if (*verdict) return {};
  }
  bool never = verdict ? verdict->kind == Verdict::Kind::never : !Ledger::ever_admits(arrival.binding, arrival.chain);
  if (never || closed_ || arrival.queue_size <= 0) return {Answer::Kind::blocked, {}};
  auto line = lines_.find({{std::string(arrival.flow), std::string(arrival.key)}, std::string(arrival.group)});
  if (line != lines_.end() && line->second.size >= static_cast<size_t>(arrival.queue_size))
    return {Answer::Kind::blocked, {}};
  return {Answer::Kind::waits, join(arrival, verdict, now)};
}

Ticket WaitingLines::join(const Arrival& arrival, const std::optional<Verdict>& refusal, const Instant& now) {
  Ticket ticket{++last_ticket_};
  Waiter& waiter = waiters_[ticket];
  const QuotaState* root = &arrival.binding->root(arrival.chain.front().node);
  Tree& tree = trees_[root];
  tree.root = root;
  waiter.ticket = ticket;
  waiter.tree = &tree;
  waiter.pool = &tree.pools[counter_of(arrival.binding, arrival.chain.front())];
  waiter.order = {arrival.priority, last_ticket_};
  waiter.line = {{std::string(arrival.flow), std::string(arrival.key)}, std::string(arrival.group)};
  waiter.since = now.steady;
  waiter.deadline = deadline_of(now.steady, arrival.ttl);
  waiter.binding = arrival.binding;
  waiter.transaction = arrival.transaction;
  waiter.chain.assign(arrival.chain.begin(), arrival.chain.end());
  waiter.groups.reserve(waiter.chain.size());
  for (Claim& claim : waiter.chain) claim.group = waiter.groups.emplace_back(claim.group);

  Line& line = lines_[waiter.line];
  ++line.size;
  ++line.by_priority[arrival.priority];
  deadlines_.emplace(waiter.deadline, ticket);
  waiter.pool->waiters.emplace(waiter.order, &waiter);
  if (refusal) {
    // Whoever was tried has nobody of its counter before it.
    waiter.pool->wake = refusal->earliest;
    if (refusal->refused_by > 0)
      tree.stops.push_back({counter_of(waiter.binding, waiter.chain[refusal->refused_by]), arrival.priority});
    set_wake(tree, std::min(tree.wake, refusal->earliest));
  }
  return ticket;
}

void WaitingLines::set_wake(Tree& tree, SteadyTime wake) {
  if (tree.wake == wake) return;
  wakes_.erase({tree.wake, &tree});
  tree.wake = wake;
  if (wake != SteadyTime::max()) wakes_.emplace(wake, &tree);
}

// Out of everything but the map of waiters.
void WaitingLines::remove(Waiter& waiter) {
  bool was_next = waiter.pool->waiters.begin()->first == waiter.order;
  waiter.pool->waiters.erase(waiter.order);
  deadlines_.erase({waiter.deadline, waiter.ticket});
  auto line = lines_.find(waiter.line);
  if (--line->second.by_priority[waiter.order.first] == 0) line->second.by_priority.erase(waiter.order.first);
  if (--line->second.size == 0) lines_.erase(line);
  if (was_next) set_wake(*waiter.tree, SteadyTime::min());
}

void WaitingLines::leave(Ticket ticket) {
  auto found = waiters_.find(ticket);
  if (found == waiters_.end()) return;
  remove(found->second);
  waiters_.erase(found);
}

void WaitingLines::freed(const Binding& binding, uint32_t node) {
  if (waiters_.empty()) return;
  auto tree = trees_.find(&binding->root(node));
  if (tree != trees_.end()) set_wake(tree->second, SteadyTime::min());
}

void WaitingLines::freed_everywhere() {
  for (auto& [root, tree] : trees_) set_wake(tree, SteadyTime::min());
}

void WaitingLines::finish(Waiter& waiter, Settled::Outcome outcome, const Instant& now, std::vector<Settled>& out) {
  out.push_back({waiter.ticket, waiter.transaction, outcome, now.steady - waiter.since});
  remove(waiter);
  waiters_.erase(waiter.ticket);
}

// Whether the next one of its counter is to be tried.
bool WaitingLines::settle_one(Tree& tree, Waiter& waiter, const Instant& now, std::vector<Settled>& out) {
  waiter.pool->wake = SteadyTime::max();
  // One that is stopped by another is tried again when that one is.
  if (stopped(tree, waiter.binding, waiter.chain, waiter.order.first)) return false;
  Verdict verdict = ledger_.acquire(waiter.binding, waiter.chain, waiter.transaction, now);
  if (verdict.kind == Verdict::Kind::refused) {
    waiter.pool->wake = std::max(verdict.earliest, now.steady + nanoseconds(1));
    if (verdict.refused_by > 0)
      tree.stops.push_back({counter_of(waiter.binding, waiter.chain[verdict.refused_by]), waiter.order.first});
    return false;
  }
  finish(waiter, verdict ? Settled::Outcome::admitted : Settled::Outcome::blocked, now, out);
  return true;
}

void WaitingLines::settle(Tree& tree, const Instant& now, std::vector<Settled>& out) {
  tree.stops.clear();
  Candidates candidates;
  for (auto& [counter, pool] : tree.pools)
    if (!pool.waiters.empty()) candidates.emplace(pool.waiters.begin()->first, &pool);
  while (!candidates.empty()) {
    Pool* pool = candidates.begin()->second;
    candidates.erase(candidates.begin());
    Waiter& waiter = *pool->waiters.begin()->second;
    if (settle_one(tree, waiter, now, out) && !pool->waiters.empty())
      candidates.emplace(pool->waiters.begin()->first, pool);
  }
  std::erase_if(tree.pools, [](const auto& entry) { return entry.second.waiters.empty(); });
  SteadyTime wake = SteadyTime::max();
  for (auto& [counter, pool] : tree.pools) wake = std::min(wake, pool.wake);
  set_wake(tree, wake);
  const QuotaState* root = tree.root;
  if (tree.pools.empty()) trees_.erase(root);
}

std::vector<Settled> WaitingLines::wake(const Instant& now) {
  std::vector<Settled> out;
  for (;;) {
    bool due = !wakes_.empty() && wakes_.begin()->first <= now.steady;
    bool over = !deadlines_.empty() && deadlines_.begin()->first <= now.steady;
    // Room that came up to the very end of somebody's time is for it.
    if (due && (!over || wakes_.begin()->first <= deadlines_.begin()->first)) {
      settle(*wakes_.begin()->second, now, out);
    } else if (over) {
      finish(waiters_.at(deadlines_.begin()->second), Settled::Outcome::expired, now, out);
    } else {
      return out;
    }
  }
}

std::optional<SteadyTime> WaitingLines::next_wake() const {
  std::optional<SteadyTime> next;
  if (!wakes_.empty()) next = wakes_.begin()->first;
  if (!deadlines_.empty()) next = std::min(next.value_or(SteadyTime::max()), deadlines_.begin()->first);
  return next;
}

std::vector<Settled> WaitingLines::block_all(const Instant& now) {
  std::vector<Settled> out;
  closed_ = true;
  for (auto& [ticket, waiter] : waiters_)
    out.push_back({ticket, waiter.transaction, Settled::Outcome::blocked, now.steady - waiter.since});
  std::ranges::sort(out, {}, &Settled::ticket);
  wakes_.clear();
  deadlines_.clear();
  lines_.clear();
  waiters_.clear();
  trees_.clear();
  return out;
}

std::vector<LineNumber> WaitingLines::numbers() const {
  std::vector<LineNumber> numbers;
  for (const auto& [key, line] : lines_)
    for (const auto& [priority, waiting] : line.by_priority)
      numbers.push_back({key.first.first, key.first.second, key.second, priority, waiting});
  return numbers;
}

}  // namespace lunar
