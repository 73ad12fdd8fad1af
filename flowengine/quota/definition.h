// Quotas and internal limits as the compiler of flow files makes them (flows.md §8.1); immutable once made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lunar {

enum class Unit : uint8_t { second, minute, hour, day, month };

struct MonthlyRenewal {
  int day = 1, hour = 0, minute = 0;
  bool local = false;  // in the zone of the machine instead of UTC
  bool operator==(const MonthlyRenewal&) const = default;
};

// What one admission counts: 1, the amount known at the acquire, or the amount that is added when the response ends.
enum class Counter : uint8_t { one, request, response };

struct FixedWindow {
  int64_t max = 1;
  int64_t interval = 1;
  Unit unit = Unit::second;
  std::optional<MonthlyRenewal> renewal;  // the node's own, or the parent's for an allocation: closes windows
  std::optional<int64_t> spillover_max;
  // With spillover: its own renewal, else that of the nearest ancestor. An inherited one ends the carry and no window.
  std::optional<MonthlyRenewal> carry_renewal;
  Counter counter = Counter::one;
  std::string counter_path;  // as written
};

struct Concurrent {
  int64_t max_requests = 1;
  std::chrono::nanoseconds expiration = std::chrono::seconds(60);
  std::chrono::nanoseconds sweep = std::chrono::seconds(30);
};

struct HeaderBased {
  std::string quota_header, reset_header, retry_after_header;  // lower case; empty: none
};

struct QuotaNode {
  std::string id;
  std::optional<uint32_t> parent;  // stands before its children
  std::variant<FixedWindow, Concurrent, HeaderBased> strategy;
  std::string group_by_header;  // lower case; its own, else that of the nearest ancestor; empty: no grouping
};

struct QuotaSet {
  std::vector<QuotaNode> nodes;
};

// What has to be unchanged for the counters of an id to survive a reload (flows.md §1.5), in one line of text.
[[nodiscard]] std::string strategy_signature(const QuotaNode& node);

}  // namespace lunar
