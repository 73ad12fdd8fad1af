#include "flowengine/state/embedded_state.h"

#include "flowengine/processors/processor.h"

namespace lunar {
namespace {

reply::Admitted to_reply(const Plan& plan, std::span<const Claim> chain, const Verdict& verdict) {
  reply::Admitted out{.admitted = static_cast<bool>(verdict)};
  if (verdict.kind != Verdict::Kind::refused) return out;
  out.earliest = verdict.earliest;
  const QuotaNode& node = plan.quotas.nodes[chain[verdict.refused_by].node];
  if (const auto* window = std::get_if<FixedWindow>(&node.strategy)) out.limit = window->max;
  if (const auto* slots = std::get_if<Concurrent>(&node.strategy)) out.limit = slots->max_requests;
  return out;
}

}  // namespace

Binding EmbeddedState::bind(const Plan& plan, const Instant& now) {
  Binding out = ledger_.bind(plan.quotas, now);
  lines_.freed_everywhere();
  std::set<std::string> schemes;
  for (const Instance& instance : plan.instances)
    if (std::string scheme = instance.processor->cache_scheme(); !scheme.empty()) schemes.insert(std::move(scheme));
  cache_.use_schemes(std::move(schemes));
  return out;
}

void EmbeddedState::count(const Binding& binding, const effect::Count& question, TransactionId transaction,
                          const Instant& now) {
  Ledger::count_automatically(binding, question.claims, transaction, now);
}

reply::Admitted EmbeddedState::acquire(const Plan& plan, const Binding& binding, const effect::Acquire& question,
                                       TransactionId transaction, const Instant& now) {
  return to_reply(plan, question.chain, ledger_.acquire(binding, question.chain, transaction, now));
}

std::variant<reply::Admitted, Ticket> EmbeddedState::enqueue(const Binding& binding, const effect::Enqueue& question,
                                                             TransactionId transaction, const Instant& now) {
  Answer answer = lines_.arrive({.flow = question.flow,
                                 .key = question.key,
                                 .group = question.group,
                                 .queue_size = question.size,
                                 .ttl = question.ttl,
                                 .priority = question.priority,
                                 .binding = binding,
                                 .chain = question.chain,
                                 .transaction = transaction},
                                now);
  if (answer.kind == Answer::Kind::waits) return answer.ticket;
  return reply::Admitted{.admitted = answer.kind == Answer::Kind::admitted};
}

reply::Cached EmbeddedState::read(const effect::ReadCache& question, const Instant& now) {
  return {cache_.find(question.key, now.wall)};
}

bool EmbeddedState::perform(const Plan& plan, const Binding& binding, const Emission& what, TransactionId transaction,
                            const Instant& now) {
  if (const auto* add = std::get_if<emission::AddToQuota>(&what)) {
    Claim claim{.node = add->node, .amount = add->amount, .group = add->group};
    ledger_.add(binding, claim, add->within_limit ? Ledger::Bound::limit : Ledger::Bound::none, now);
    return false;
  }
  if (const auto* slot = std::get_if<emission::ReleaseSlot>(&what)) {
    if (!ledger_.release(binding, slot->node, transaction, now)) return false;
    lines_.freed(binding, slot->node);
    return true;
  }
  if (const auto* learn = std::get_if<emission::LearnQuota>(&what)) {
    auto view = [](const std::optional<std::string>& text) {
      return text ? std::optional<std::string_view>(*text) : std::nullopt;
    };
    ToldHeaders told{view(learn->quota), view(learn->reset), view(learn->retry_after)};
    bool changed = learn->answered ? ledger_.learn(binding, learn->node, transaction, told, now)
                                   : ledger_.end_flight(binding, learn->node, transaction);
    if (changed) lines_.freed(binding, learn->node);
    return changed;
  }
  if (const auto* entry = std::get_if<emission::WriteCache>(&what))
    cache_.store(*entry, plan.instances[entry->instance].processor->cache_scheme());
  return false;
}

}  // namespace lunar
