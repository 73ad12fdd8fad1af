// Who calls whom, how often and how fast, over the last ten to twenty seconds: the figures of `lunarctl top`.
// Two slots of ten seconds for each name, so that memory is bounded by what was active lately.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/admin/callers.h"
#include "agent/base/clock.h"
#include "agent/base/latency_histogram.h"
#include "agent/base/transaction.h"

namespace lunar::admin {

enum class TopGroup : uint8_t { process, unit, host };
[[nodiscard]] std::optional<TopGroup> top_group(std::string_view name);

class Top {
 public:
  static constexpr std::chrono::seconds kSlot{10};
  static constexpr size_t kNamesLimit = 1000;  // of each group; what comes beyond counts as "other"

  explicit Top(MonotonicTime now) : slot_began_(now), began_(now) {}

  void add(const TransactionRecord& record, const Caller& caller, MonotonicTime now);
  // {"window_s","rows":[{"name","requests_per_second",..}]}, the busiest first.
  [[nodiscard]] nlohmann::json rows(TopGroup by, MonotonicTime now);

 private:
  struct Slot {
    uint64_t requests = 0;
    uint64_t connections = 0;  // opaque ones that were closed
    uint64_t errors = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    LatencyHistogram latency;
    void add(const TransactionRecord& record);
    void merge(const Slot& other);
  };
  struct Entry {
    Slot now;
    Slot before;
  };
  using Entries = std::unordered_map<std::string, Entry>;

  static void age(Entries& known, bool adjoining);  // what was now becomes what was before
  void advance(MonotonicTime now);
  void count(TopGroup group, const std::string& name, const TransactionRecord& record);
  [[nodiscard]] Entries& entries(TopGroup group) { return groups_[static_cast<size_t>(group)]; }

  MonotonicTime slot_began_;
  MonotonicTime began_;  // of what `before` holds
  std::array<Entries, 3> groups_;
  std::string name_;  // reused
};

}  // namespace lunar::admin
