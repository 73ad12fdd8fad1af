// What the three strategies remember of a node. Each answers `check` without a change that anybody could observe, and
// takes by `admit` what `check` has just allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "flowengine/instant.h"
#include "flowengine/quota/definition.h"
#include "flowengine/quota/flights.h"
#include "flowengine/quota/window_groups.h"

namespace lunar {

// What one acquire asks of one node.
struct Claim {
  uint32_t node = 0;   // index in the QuotaSet
  int64_t amount = 1;  // of a fixed window; its counter says what it means
  std::string_view group = default_group;
  bool counted = false;  // automatic counting has already counted it in this attempt: nothing is asked or added
};

struct Check {
  bool admitted = true;
  bool never = false;     // larger than can ever be granted
  SteadyTime earliest{};  // of a refusal: it cannot succeed before, as far as is known now
};

class WindowNode {
 public:
  WindowNode(const FixedWindow& definition, bool grouped, const LocalZone& zone)
      : rules_(definition, zone), grouped_(grouped) {}

  void redefine(const FixedWindow& definition, const LocalZone& zone, const Instant& now);
  [[nodiscard]] Check check(const Claim& claim, const Instant& now);
  void admit(const Claim& claim, const Instant& now);
  bool count_up_to_limit(std::string_view group, int64_t amount, const Instant& now);  // whether all of it was counted
  void add(std::string_view group, int64_t amount, const Instant& now);
  void forget_closed(const Instant& now) { groups_.forget_closed(rules_, now); }
  // A window of a snapshot; what was counted since the start is added to it.
  void restore(std::string_view group, Window saved, const Instant& now);

  [[nodiscard]] const WindowRules& rules() const { return rules_; }
  [[nodiscard]] bool grouped() const { return grouped_; }
  [[nodiscard]] size_t overflowed() const { return groups_.overflowed(); }
  // Every window that is not forgotten, up to date: visit(name, window).
  template <class Visit>
  void for_each(const Instant& now, Visit&& visit) {
    auto updated = [&](std::string_view name, Window& window) {
      rules_.update(window, now);
      visit(name, static_cast<const Window&>(window));
    };
    if (!grouped_) return updated(default_group, single_);
    groups_.for_each(updated);
  }

 private:
  void count(std::string_view group, int64_t amount, const Instant& now);
  // The window as it stands; of a group that nobody counted in, a fresh one that is not kept.
  [[nodiscard]] const Window& look_up(std::string_view group, const Instant& now);

  WindowRules rules_;
  bool grouped_;
  Window single_;
  WindowGroups groups_;
};

class ConcurrentNode {
 public:
  explicit ConcurrentNode(const Concurrent& definition) : definition_(definition) {}

  void redefine(const Concurrent& definition) { definition_ = definition; }
  [[nodiscard]] Check check(TransactionId transaction, const Instant& now);
  bool admit(TransactionId transaction, const Instant& now);  // false: it has a slot already
  bool release(TransactionId transaction, const Instant& now);
  void drop_expired(const Instant& now);
  void sweep(const Instant& now);  // at the node's own period

  [[nodiscard]] const Concurrent& definition() const { return definition_; }
  [[nodiscard]] int64_t live() const { return static_cast<int64_t>(slots_.size()); }  // after drop_expired()

 private:
  Concurrent definition_;
  Flights slots_;
  SteadyTime next_sweep_{};
};

// Values of the fields that a HeaderBased names; missing: the response has no such field.
struct ToldHeaders {
  std::optional<std::string_view> quota, reset, retry_after;
};

// What a provider has said about its own limit.
class HeaderNode {
 public:
  struct Knowledge {
    int64_t remaining = 0;
    int64_t admitted = 0;  // since it was learned
    SteadyTime learned{}, until{};
    bool reset_given = false;
  };
  struct Block {
    SteadyTime learned{}, until{};
  };

  [[nodiscard]] Check check(const Instant& now);
  void admit(TransactionId transaction, const Instant& now);
  bool count_up_to_limit(TransactionId transaction, const Instant& now);
  bool learn(TransactionId transaction, const ToldHeaders& told, const Instant& now);  // whether anything was
  bool end_flight(TransactionId transaction) { return flights_.erase(transaction); }

  void update(const Instant& now);
  [[nodiscard]] const std::optional<Knowledge>& knowledge() const { return knowledge_; }
  [[nodiscard]] const std::optional<Block>& block() const { return block_; }
  [[nodiscard]] uint64_t unreadable() const { return unreadable_; }
  [[nodiscard]] size_t in_flight() const { return flights_.size(); }
  void restore(const std::optional<Knowledge>& knowledge, const std::optional<Block>& block);

 private:
  bool learn_remaining(std::string_view text, const Instant& now);
  bool learn_reset(std::string_view text, const Instant& now);
  bool learn_block(std::string_view text, const Instant& now);

  std::optional<Knowledge> knowledge_;
  std::optional<Block> block_;
  Flights flights_;
  uint64_t unreadable_ = 0;
};

}  // namespace lunar
