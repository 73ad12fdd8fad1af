// flows.md §8.8.
#include <nlohmann/json.hpp>

#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;
using nlohmann::json;

namespace {

FixedWindow carrying() {
  FixedWindow window = per(10, 1, Unit::day);
  window.spillover_max = 5;
  window.carry_renewal = window.renewal = MonthlyRenewal{};
  return window;
}

QuotaSet plan() {
  return {{{"Hour", {}, per(10, 1, Unit::hour), ""},
           {"Minute", {}, per(10, 1, Unit::minute), ""},
           {"Team", {}, per(10, 1, Unit::hour), "x-team"},
           {"Told", {}, HeaderBased{"x-remaining", "x-reset", "retry-after"}, ""},
           {"Day", {}, carrying(), ""},
           {"Slots", {}, Concurrent{3, 60s, 30s}, ""}}};
}

constexpr uint32_t hour = 0, minute = 1, team = 2, told = 3, day = 4, slots = 5;

// Another process, `gap` later by the clock on the wall; its other clock began anew.
void start_anew(QuotaScene& scene, const QuotaScene& before, std::chrono::milliseconds gap) {
  scene.now.steady = SteadyTime(3s);
  scene.now.wall = before.now.wall + gap;
}

std::string saved(const QuotaScene& scene) { return scene.ledger.save(scene.now).dump(); }

}  // namespace

TEST_CASE("snapshot: windows longer than a minute go on where they were") {
  for (bool bound_first : {true, false}) {
    QuotaScene before(plan());
    CHECK(before.admitted(4, hour) == 4);
    CHECK(before.admitted(4, minute) == 4);
    CHECK(before.admitted(6, team, "a\xff%b") == 6);
    before.pass(10min);
    CHECK(before.admitted(3, slots) == 3);
    std::string text = saved(before);

    QuotaScene after({});
    start_anew(after, before, 5min);
    if (bound_first) after.rebind(plan());
    REQUIRE(after.ledger.restore(json::parse(text), after.now));
    if (!bound_first) after.rebind(plan());
    CHECK(after.seen("Hour").used == 4);
    CHECK(after.seen("Minute").used == 0);
    CHECK(after.seen("Team", "a\xff%b").used == 6);
    CHECK(after.seen("Slots").used == 0);
    CHECK(after.admitted(10, hour) == 6);
    after.pass(45min - 1ns);
    CHECK_FALSE(after.acquire(hour));
    CHECK(after.admitted(10, team, "a\xff%b") == 4);
    after.pass(1ns);
    CHECK(after.admitted(20, hour) == 10);
    CHECK(after.admitted(20, team, "a\xff%b") == 10);
  }
}

TEST_CASE("snapshot: windows that have closed meanwhile are gone, what they leave over is not") {
  QuotaScene before(plan());
  CHECK(before.admitted(4, hour) == 4);
  CHECK(before.admitted(8, day) == 8);
  QuotaScene after(plan());
  start_anew(after, before, 24h);
  REQUIRE(after.ledger.restore(json::parse(saved(before)), after.now));
  CHECK_FALSE(after.seen("Hour").ends);
  CHECK(after.seen("Day").limit == 12);
  // And a carry without an open window is saved again.
  QuotaScene third(plan());
  start_anew(third, after, 1h);
  REQUIRE(third.ledger.restore(json::parse(saved(after)), third.now));
  CHECK(third.admitted(20, day) == 12);
}

TEST_CASE("snapshot: what a provider said goes on when it was for more than a minute") {
  QuotaScene before(plan());
  Ledger::learn(before.binding, told, TransactionId{1}, {"0", "300", {}}, before.now);
  QuotaScene after(plan());
  start_anew(after, before, 100s);
  REQUIRE(after.ledger.restore(json::parse(saved(before)), after.now));
  CHECK(after.acquire(told).earliest == after.now.steady + 200s);

  QuotaScene blocked(plan());
  Ledger::learn(blocked.binding, told, TransactionId{1}, {"5", {}, "61"}, blocked.now);  // 5 for 60 s
  QuotaScene later(plan());
  start_anew(later, blocked, 1s);
  REQUIRE(later.ledger.restore(json::parse(saved(blocked)), later.now));
  CHECK(later.acquire(told).earliest == later.now.steady + 60s);
  later.pass(60s);
  CHECK(later.admitted(100, told) == 100);
}

TEST_CASE("snapshot: another strategy does not take over what was saved") {
  QuotaScene before(plan());
  CHECK(before.admitted(10, hour) == 10);
  QuotaScene after({{{"Hour", {}, per(10, 2, Unit::hour), ""}}});
  start_anew(after, before, 1s);
  REQUIRE(after.ledger.restore(json::parse(saved(before)), after.now));
  CHECK(after.admitted(20, hour) == 10);
}

TEST_CASE("snapshot: what was counted since the start is added") {
  QuotaScene before(plan());
  CHECK(before.admitted(4, hour) == 4);
  QuotaScene after(plan());
  start_anew(after, before, 1s);
  CHECK(after.admitted(3, hour) == 3);
  REQUIRE(after.ledger.restore(json::parse(saved(before)), after.now));
  CHECK(after.seen("Hour").used == 7);
}

TEST_CASE("snapshot: after the clock of people was set back no window lasts longer than its length") {
  QuotaScene before(plan());
  CHECK(before.admitted(10, hour) == 10);
  QuotaScene after(plan());
  start_anew(after, before, -24h * 365);
  REQUIRE(after.ledger.restore(json::parse(saved(before)), after.now));
  CHECK(after.acquire(hour).earliest == after.now.steady + 1h);
}

TEST_CASE("snapshot: anything broken is refused as a whole") {
  QuotaScene before(plan());
  CHECK(before.admitted(4, hour) == 4);
  CHECK(before.admitted(4, team, "a") == 4);
  Ledger::learn(before.binding, told, TransactionId{1}, {"0", "300", "70"}, before.now);
  const json good = before.ledger.save(before.now);
  const json values[] = {nullptr, true, -1, 1e300, INT64_MIN, UINT64_MAX, "x%", json::array(), json::object(), {1, {}}};
  std::vector<json::json_pointer> places;
  json flat = good.flatten();
  for (auto& [place, value] : flat.items()) places.emplace_back(place);
  places.emplace_back("/quotas");
  places.emplace_back("/quotas/0");
  places.emplace_back("/quotas/0/windows");
  places.emplace_back("/quotas/0/windows/0");
  places.emplace_back("");
  REQUIRE(places.size() > 20);
  size_t refused = 0;
  for (const auto& place : places)
    for (const json& value : values) {
      if (good.at(place).type() == value.type() && !value.is_string()) continue;
      json bad = good;
      bad.at(place) = value;
      QuotaScene after(plan());
      if (after.ledger.restore(bad, after.now)) {
        MESSAGE(place.to_string() << " " << value.dump());
        continue;
      }
      ++refused;
      CHECK(after.seen("Hour").used == 0);
      CHECK(after.acquire(told));
    }
  CHECK(refused > 150);
  for (std::string_view text : {"[]", "1", "{}", R"({"version":2,"quotas":[]})", R"({"version":1})"}) {
    QuotaScene after(plan());
    auto result = after.ledger.restore(json::parse(text), after.now);
    CHECK_FALSE(result);
    CHECK(result.error().text.find("snapshot") != std::string::npos);
  }
}
