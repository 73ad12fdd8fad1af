#include "agent/gateway/flow_state.h"

#include <nlohmann/json.hpp>

#include "agent/gateway/worker.h"

namespace lunar::gateway {

Instant instant_at(SteadyTime steady) {
  return {steady, std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

std::shared_ptr<const ActivePlan> FlowState::activate(std::shared_ptr<const Plan> plan, const Instant& now) {
  std::lock_guard lock(mutex_);
  auto out = std::make_shared<ActivePlan>();
  out->binding = state_.bind(*plan, now);
  out->plan = std::move(plan);
  tell(state_.wake(now));
  return out;
}

void FlowState::count(const ActivePlan& active, const effect::Count& question, TransactionId transaction,
                      const Instant& now) {
  std::lock_guard lock(mutex_);
  state_.count(active.binding, question, transaction, now);
}

reply::Admitted FlowState::acquire(const ActivePlan& active, const effect::Acquire& question, TransactionId transaction,
                                   const Instant& now) {
  std::lock_guard lock(mutex_);
  return state_.acquire(*active.plan, active.binding, question, transaction, now);
}

reply::Cached FlowState::read(const effect::ReadCache& question, const Instant& now) {
  std::lock_guard lock(mutex_);
  return state_.read(question, now);
}

void FlowState::perform(const ActivePlan& active, const Emission& emission, TransactionId transaction,
                        const Instant& now) {
  std::lock_guard lock(mutex_);
  if (state_.perform(*active.plan, active.binding, emission, transaction, now)) tell(state_.wake(now));
}

std::variant<reply::Admitted, Ticket> FlowState::enqueue(const ActivePlan& active, const effect::Enqueue& question,
                                                         TransactionId transaction, Worker& worker,
                                                         const Instant& now) {
  std::lock_guard lock(mutex_);
  auto answer = state_.enqueue(active.binding, question, transaction, now);
  if (const auto* ticket = std::get_if<Ticket>(&answer)) places_[*ticket] = {.worker = &worker, .outcome = {}};
  return answer;
}

std::optional<Settled> FlowState::outcome(Ticket ticket) {
  std::lock_guard lock(mutex_);
  auto place = places_.find(ticket);
  if (place == places_.end() || !place->second.outcome) return std::nullopt;
  auto out = place->second.outcome;
  places_.erase(place);
  return out;
}

void FlowState::leave(Ticket ticket, const Instant& now) {
  std::lock_guard lock(mutex_);
  places_.erase(ticket);
  state_.leave(ticket);
  tell(state_.wake(now));
}

std::optional<SteadyTime> FlowState::next_wake() {
  std::lock_guard lock(mutex_);
  return state_.next_wake();
}

void FlowState::settle(const Instant& now) {
  std::lock_guard lock(mutex_);
  if (state_.anybody_waits()) tell(state_.wake(now));
}

void FlowState::block_all(const Instant& now) {
  std::lock_guard lock(mutex_);
  tell(state_.block_all(now));
}

void FlowState::tell(const std::vector<Settled>& settled) {
  for (const Settled& one : settled) {
    auto place = places_.find(one.ticket);
    if (place == places_.end()) continue;
    place->second.outcome = one;
    place->second.worker->waiter_ready(one.ticket);
  }
}

std::vector<NodeView> FlowState::quotas(const Instant& now) {
  constexpr size_t most_groups = 1000;
  std::lock_guard lock(mutex_);
  return state_.ledger().view(now, most_groups);
}

nlohmann::json FlowState::save(const Instant& now) {
  std::lock_guard lock(mutex_);
  return state_.ledger().save(now);
}

Result<> FlowState::restore(const nlohmann::json& snapshot, const Instant& now) {
  std::lock_guard lock(mutex_);
  return state_.ledger().restore(snapshot, now);
}

void FlowState::sweep(const Instant& now) {
  std::lock_guard lock(mutex_);
  state_.ledger().sweep(now);
}

std::vector<LineNumber> FlowState::lines() {
  std::lock_guard lock(mutex_);
  return state_.lines().numbers();
}

}  // namespace lunar::gateway
