// Those who wait for a quota (the processor Queue, flows.md §7.2). A machine: it says who may go, the caller wakes
// them.
//
// Waiters for one counter of a quota stand in one order whatever their line: by priority, then by arrival. A counter is
// a node, or one group of a node with grouping, since one group that has used up its share says nothing about others.
// Counters of one tree compete for their common ancestors in the same order: the best waiter of the whole tree is tried
// first. Where its own counter refuses, those behind it for that counter wait; where an ancestor is the first to
// refuse, everybody of equal or worse priority below that ancestor waits. So nobody is passed by where it is next, and
// nobody waits for a counter that is not its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flowengine/quota/ledger.h"

namespace lunar {

enum class Ticket : uint64_t {};

struct Arrival {
  std::string_view flow, key, group;  // the line
  int64_t queue_size = 0;             // waiters of the line
  std::chrono::nanoseconds ttl{};
  int64_t priority = 0;  // lower is served first
  Binding binding;
  std::span<const Claim> chain;  // as for Ledger::acquire
  TransactionId transaction{};
};

struct Answer {
  enum class Kind : uint8_t { admitted, waits, blocked };
  Kind kind = Kind::admitted;
  Ticket ticket{};  // of one that waits
};

struct Settled {
  enum class Outcome : uint8_t { admitted, blocked, expired };  // expired: blocked since its time is over
  Ticket ticket{};
  TransactionId transaction{};
  Outcome outcome = Outcome::admitted;
  std::chrono::nanoseconds waited{};
};

struct LineNumber {
  std::string flow, key, group;
  int64_t priority = 0;
  size_t waiting = 0;
};

class WaitingLines {
 public:
  explicit WaitingLines(Ledger& ledger) : ledger_(ledger) {}
  WaitingLines(const WaitingLines&) = delete;
  WaitingLines& operator=(const WaitingLines&) = delete;

  // Admitted: the ledger has counted it.
  [[nodiscard]] Answer arrive(const Arrival& arrival, const Instant& now);
  // The client has gone, nothing was counted. Tickets that are settled are ignored. Whoever stood behind may now be
  // next: wake() follows.
  void leave(Ticket ticket);

  // What may have made room: a slot was released, something was learned. wake() follows.
  void freed(const Binding& binding, uint32_t node);
  void freed_everywhere();  // after Ledger::bind or restore

  // Everything that has become due, in the order in which it did.
  [[nodiscard]] std::vector<Settled> wake(const Instant& now);
  [[nodiscard]] std::optional<SteadyTime> next_wake() const;  // it may lie in the past
  // On shutdown: nobody waits any more, now or later.
  [[nodiscard]] std::vector<Settled> block_all(const Instant& now);

  [[nodiscard]] size_t size() const { return waiters_.size(); }
  [[nodiscard]] std::vector<LineNumber> numbers() const;  // of lines in which somebody waits

 private:
  using Order = std::pair<int64_t, uint64_t>;  // priority, ticket
  using CounterKey = std::pair<const QuotaState*, std::string>;
  using LineKey = std::pair<std::pair<std::string, std::string>, std::string>;  // flow and key, group
  struct Tree;
  struct Waiter;
  struct Pool {
    std::map<Order, Waiter*> waiters;
    SteadyTime wake = SteadyTime::max();  // when its first one could succeed
  };
  // A waiter stands before this counter, which is not its own.
  struct Stop {
    CounterKey counter;
    int64_t priority;
  };
  struct Tree {
    const QuotaState* root = nullptr;
    std::map<CounterKey, Pool> pools;
    std::vector<Stop> stops;
    SteadyTime wake = SteadyTime::max();
  };
  struct Line {
    size_t size = 0;
    std::map<int64_t, size_t> by_priority;
  };
  struct Waiter {
    Ticket ticket{};
    Tree* tree = nullptr;
    Pool* pool = nullptr;
    Order order;
    LineKey line;
    SteadyTime since{}, deadline{};
    Binding binding;
    std::vector<std::string> groups;  // what the claims refer to
    std::vector<Claim> chain;
    TransactionId transaction{};
  };
  using Candidates = std::set<std::pair<Order, Pool*>>;

  [[nodiscard]] static CounterKey counter_of(const Binding& binding, const Claim& claim);
  [[nodiscard]] static bool stopped(const Tree& tree, const Binding& binding, std::span<const Claim> chain,
                                    int64_t priority);
  [[nodiscard]] bool must_wait(const Arrival& arrival) const;
  [[nodiscard]] Ticket join(const Arrival& arrival, const std::optional<Verdict>& refusal, const Instant& now);
  void remove(Waiter& waiter);
  void set_wake(Tree& tree, SteadyTime wake);
  void settle(Tree& tree, const Instant& now, std::vector<Settled>& out);
  [[nodiscard]] bool settle_one(Tree& tree, Waiter& waiter, const Instant& now, std::vector<Settled>& out);
  void finish(Waiter& waiter, Settled::Outcome outcome, const Instant& now, std::vector<Settled>& out);

  Ledger& ledger_;
  std::unordered_map<Ticket, Waiter> waiters_;
  std::unordered_map<const QuotaState*, Tree> trees_;
  std::map<LineKey, Line> lines_;
  std::set<std::pair<SteadyTime, Tree*>> wakes_;
  std::set<std::pair<SteadyTime, Ticket>> deadlines_;
  uint64_t last_ticket_ = 0;
  bool closed_ = false;
};

}  // namespace lunar
