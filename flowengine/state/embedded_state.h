// The state that flows share, in one process: quotas, waiting lines, cached responses. It answers the questions of
// executions and performs those emissions that concern it. A machine without clock and lock: the agent adds both.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "flowengine/quota/ledger.h"
#include "flowengine/quota/waiting_lines.h"
#include "flowengine/state/response_cache.h"

namespace lunar {

class EmbeddedState {
 public:
  explicit EmbeddedState(const LocalZone& zone = utc()) : ledger_(zone), lines_(ledger_) {}

  // Counters of the plan's quotas; kept by every execution of that plan. What is cached that no processor of the plan
  // could have written is forgotten, and not taken from executions of earlier plans either (flows.md §1.5).
  [[nodiscard]] Binding bind(const Plan& plan, const Instant& now);

  void count(const Binding& binding, const effect::Count& question, TransactionId transaction, const Instant& now);
  [[nodiscard]] reply::Admitted acquire(const Plan& plan, const Binding& binding, const effect::Acquire& question,
                                        TransactionId transaction, const Instant& now);
  // A ticket of one that waits: wake() will settle it.
  [[nodiscard]] std::variant<reply::Admitted, Ticket> enqueue(const Binding& binding, const effect::Enqueue& question,
                                                              TransactionId transaction, const Instant& now);
  void leave(Ticket ticket) { lines_.leave(ticket); }
  [[nodiscard]] reply::Cached read(const effect::ReadCache& question, const Instant& now);

  // `plan` is that of the execution, like `binding`. True: it may have made room for somebody who waits, so that wake()
  // follows.
  bool perform(const Plan& plan, const Binding& binding, const Emission& emission, TransactionId transaction,
               const Instant& now);

  [[nodiscard]] std::vector<Settled> wake(const Instant& now) { return lines_.wake(now); }
  [[nodiscard]] std::optional<SteadyTime> next_wake() const { return lines_.next_wake(); }
  [[nodiscard]] std::vector<Settled> block_all(const Instant& now) { return lines_.block_all(now); }
  [[nodiscard]] bool anybody_waits() const { return lines_.size() > 0; }

  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] const WaitingLines& lines() const { return lines_; }
  [[nodiscard]] ResponseCache& cache() { return cache_; }

 private:
  Ledger ledger_;
  WaitingLines lines_;
  ResponseCache cache_;
};

}  // namespace lunar
