// What flows share over all workers: quotas, waiting lines, cached responses (flowengine/state), made safe for threads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "flowengine/state/embedded_state.h"

namespace lunar::gateway {

class Worker;

// A plan with its counters; what runs by it keeps it.
struct ActivePlan {
  std::shared_ptr<const Plan> plan;
  Binding binding;
};

// All calls from any thread; none waits for more than another call.
class FlowState {
 public:
  explicit FlowState(const LocalZone& zone = utc()) : state_(zone) {}

  [[nodiscard]] std::shared_ptr<const ActivePlan> activate(std::shared_ptr<const Plan> plan, const Instant& now);

  void count(const ActivePlan& active, const effect::Count& question, TransactionId transaction, const Instant& now);
  [[nodiscard]] reply::Admitted acquire(const ActivePlan& active, const effect::Acquire& question,
                                        TransactionId transaction, const Instant& now);
  [[nodiscard]] reply::Cached read(const effect::ReadCache& question, const Instant& now);
  void perform(const ActivePlan& active, const Emission& emission, TransactionId transaction, const Instant& now);

  // A place in a line: its session is signalled by `worker` (Worker::waiter_ready) when outcome() has something.
  [[nodiscard]] std::variant<reply::Admitted, Ticket> enqueue(const ActivePlan& active, const effect::Enqueue& question,
                                                              TransactionId transaction, Worker& worker,
                                                              const Instant& now);
  [[nodiscard]] std::optional<Settled> outcome(Ticket ticket);  // once
  void leave(Ticket ticket, const Instant& now);
  // When settle() may admit or expire somebody; every waiting session sleeps no longer than that.
  [[nodiscard]] std::optional<SteadyTime> next_wake();
  void settle(const Instant& now);
  void block_all(const Instant& now);

  // For the admin thread.
  [[nodiscard]] std::vector<NodeView> quotas(const Instant& now);
  [[nodiscard]] nlohmann::json save(const Instant& now);
  [[nodiscard]] Result<> restore(const nlohmann::json& snapshot, const Instant& now);
  void sweep(const Instant& now);
  [[nodiscard]] std::vector<LineNumber> lines();

 private:
  struct Place {
    Worker* worker = nullptr;
    std::optional<Settled> outcome;
  };
  void tell(const std::vector<Settled>& settled);  // with the lock held

  std::mutex mutex_;
  EmbeddedState state_;
  std::map<Ticket, Place> places_;
};

// Now, with the loop's idea of the steady clock.
[[nodiscard]] Instant instant_at(SteadyTime steady);

}  // namespace lunar::gateway
