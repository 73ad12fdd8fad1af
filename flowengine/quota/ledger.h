// Who has used how much of which quota (flows.md §8.2 to §8.8, in memory). Values in, values out: the caller holds a
// lock, says what time it is, and remembers which instance has asked already.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "flowengine/instant.h"
#include "flowengine/quota/calendar.h"
#include "flowengine/quota/definition.h"
#include "flowengine/quota/node_counters.h"
#include "flowengine/quota/saved_quotas.h"
#include "flowengine/result.h"

namespace lunar {

using NodeCounter = std::variant<WindowNode, ConcurrentNode, HeaderNode>;

// The counters of one id; shared by every plan in which id and strategy are the same.
struct QuotaState {
  std::string id;
  std::string signature;
  NodeCounter counter;
};

// The nodes of one QuotaSet, by their index. Whoever runs by that plan keeps it; the last one frees the counters. It
// may go on any thread and without the lock.
struct BoundQuotas {
  std::vector<std::shared_ptr<QuotaState>> nodes;
  std::vector<uint32_t> roots;  // of each node, the ancestor without a parent
  [[nodiscard]] QuotaState& at(uint32_t node) const { return *nodes[node]; }
  [[nodiscard]] const QuotaState& root(uint32_t node) const { return *nodes[roots[node]]; }
};
using Binding = std::shared_ptr<const BoundQuotas>;

struct Verdict {
  enum class Kind : uint8_t { admitted, refused, never };
  Kind kind = Kind::admitted;
  SteadyTime earliest{};  // of a refusal
  size_t refused_by = 0;  // index in the chain of the first claim that was refused
  explicit operator bool() const { return kind == Kind::admitted; }
};

struct GroupView {
  std::string group;
  int64_t limit = 0;                      // max and carry; what may be in flight; what the provider granted
  int64_t used = 0;                       // may be above the limit
  std::optional<WallTime> ends;           // of the open window or of what the provider said
  std::optional<WallTime> blocked_until;  // by Retry-After
};

struct NodeView {
  std::string id;
  std::string_view strategy;  // fixed_window, concurrent, header_based
  std::vector<GroupView> groups;
  uint64_t unreadable = 0;  // values of header fields that could not be read
  uint64_t overflowed = 0;  // how often something was counted in the overflow group
};

class Ledger {
 public:
  explicit Ledger(const LocalZone& zone = utc()) : zone_(zone) {}
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Counters of unchanged id and strategy go on, under the new numbers at once, also for those who still run by an old
  // binding; others begin anew (flows.md §1.5).
  [[nodiscard]] Binding bind(const QuotaSet& set, const Instant& now);

  // A node and all its ancestors, in this order: all admit and all are changed, or nothing is (§8.6).
  [[nodiscard]] Verdict acquire(const Binding& binding, std::span<const Claim> chain, TransactionId transaction,
                                const Instant& now);
  // Whether an empty quota would admit it.
  [[nodiscard]] static bool ever_admits(const Binding& binding, std::span<const Claim> chain);
  // Automatic counting (§8.7): as much as fits, node by node. `counted` of a claim says afterwards whether everything
  // fitted; a reference to the node in the same attempt hands that over in its own claim.
  static void count_automatically(const Binding& binding, std::span<Claim> claims, TransactionId transaction,
                                  const Instant& now);
  // What a response counter found, to the window that is open now: also above max, or up to it for automatic counting.
  enum class Bound : uint8_t { none, limit };
  static void add(const Binding& binding, const Claim& claim, Bound bound, const Instant& now);

  // Gives the slot of a concurrent node back; false: there was none, or it had expired. Other nodes give nothing back.
  static bool release(const Binding& binding, uint32_t node, TransactionId transaction, const Instant& now);
  // A response of the provider (header_based): the transaction is no longer in flight, and its fields are believed.
  static bool learn(const Binding& binding, uint32_t node, TransactionId transaction, const ToldHeaders& told,
                    const Instant& now);
  // For header_based: the transaction ended without a response of the provider.
  static bool end_flight(const Binding& binding, uint32_t node, TransactionId transaction);

  void sweep(const Instant& now);  // memory alone: nothing that it removes would count

  // At most `most` groups of each node, of the binding made last.
  [[nodiscard]] std::vector<NodeView> view(const Instant& now, size_t most = SIZE_MAX) const;

  // Windows and learned values that last more than a minute (§8.8). Text in it is ASCII.
  [[nodiscard]] nlohmann::json save(const Instant& now) const;
  // Refused as a whole where anything in it is not as save() writes it. What belongs to a node that is not bound yet
  // waits until it is.
  [[nodiscard]] Result<> restore(const nlohmann::json& snapshot, const Instant& now);

 private:
  void take_over_saved(QuotaState& state, const Instant& now);

  const LocalZone& zone_;
  std::map<std::string, std::shared_ptr<QuotaState>, std::less<>> current_;
  std::map<std::string, SavedNode, std::less<>> saved_;
};

}  // namespace lunar
