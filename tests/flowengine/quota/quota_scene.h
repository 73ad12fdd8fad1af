// A ledger with a clock that moves when it is told to.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flowengine/http_date.h"
#include "flowengine/quota/ledger.h"

namespace lunar {

using namespace std::chrono_literals;

inline WallTime utc_time(std::string_view text) {
  auto time = parse_rfc3339(text);
  REQUIRE(time);
  return *time;
}

inline FixedWindow per(int64_t max, int64_t interval, Unit unit) {
  FixedWindow window;
  window.max = max;
  window.interval = interval;
  window.unit = unit;
  return window;
}

struct QuotaScene {
  explicit QuotaScene(QuotaSet set, std::string_view start = "2025-06-10T12:00:00Z") : plan(std::move(set)) {
    now.steady = SteadyTime(1000h);
    now.wall = utc_time(start);
    binding = ledger.bind(plan, now);
  }

  void pass(std::chrono::nanoseconds time) {
    now.steady += time;
    precise_ += time;
    auto whole = std::chrono::floor<std::chrono::milliseconds>(precise_);
    now.wall += whole;
    precise_ -= whole;
  }
  void go_to(std::string_view wall) { pass(utc_time(wall) - now.wall); }

  [[nodiscard]] std::vector<Claim> chain(uint32_t node, int64_t amount = 1,
                                         std::string_view group = default_group) const {
    std::vector<Claim> claims;
    for (std::optional<uint32_t> at = node; at; at = plan.nodes[*at].parent) claims.push_back({*at, amount, group});
    return claims;
  }
  Verdict acquire(uint32_t node = 0, int64_t amount = 1, std::string_view group = default_group) {
    return acquire_as(TransactionId{++transactions}, node, amount, group);
  }
  Verdict acquire_as(TransactionId who, uint32_t node = 0, int64_t amount = 1, std::string_view group = default_group) {
    return ledger.acquire(binding, chain(node, amount, group), who, now);
  }
  // How many of `tries` are admitted right now.
  int admitted(int tries, uint32_t node = 0, std::string_view group = default_group) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += acquire(node, 1, group) ? 1 : 0;
    return count;
  }
  void rebind(QuotaSet set) {
    plan = std::move(set);
    binding = ledger.bind(plan, now);
  }
  [[nodiscard]] GroupView seen(std::string_view id, std::string_view group = default_group) const {
    for (const NodeView& node : ledger.view(now))
      for (const GroupView& one : node.groups)
        if (node.id == id && one.group == group) return one;
    return {.group = "nothing", .limit = -1, .used = -1, .ends = {}, .blocked_until = {}};
  }

  Instant now;
  QuotaSet plan;
  Ledger ledger;
  Binding binding;
  uint64_t transactions = 0;

 private:
  std::chrono::nanoseconds precise_{};
};

}  // namespace lunar
