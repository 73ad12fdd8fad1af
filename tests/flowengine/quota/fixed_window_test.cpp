// flows.md §8.2, and the renewal of §8.3.
#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

QuotaSet one(FixedWindow window, std::string group_by = "") {
  return {{{"Q", {}, std::move(window), std::move(group_by)}}};
}

}  // namespace

TEST_CASE("fixed window: admits exactly max, and refused requests change nothing") {
  QuotaScene scene(one(per(3, 1, Unit::second)));
  CHECK(scene.admitted(10) == 3);
  CHECK(scene.seen("Q").used == 3);
  CHECK(scene.seen("Q").limit == 3);
}

TEST_CASE("fixed window: opens at the first counted request and lasts exactly its interval") {
  QuotaScene scene(one(per(2, 10, Unit::second)));
  scene.pass(7s + 123456789ns);  // nothing runs before the first request
  CHECK(scene.acquire());
  scene.pass(9s);
  CHECK(scene.acquire());
  Verdict refused = scene.acquire();
  CHECK(refused.kind == Verdict::Kind::refused);
  CHECK(refused.earliest == scene.now.steady + 1s);
  scene.pass(1s - 1ns);
  CHECK_FALSE(scene.acquire());
  scene.pass(1ns);
  CHECK(scene.admitted(5) == 2);
}

TEST_CASE("fixed window: the next one opens at the next counted request, not where the last one closed") {
  QuotaScene scene(one(per(1, 1, Unit::minute)));
  CHECK(scene.acquire());
  scene.pass(90s);
  CHECK(scene.acquire());
  scene.pass(59s);
  CHECK_FALSE(scene.acquire());
  scene.pass(1s);
  CHECK(scene.acquire());
}

TEST_CASE("fixed window: every unit has its length, a month without renewal 30 days") {
  const std::pair<Unit, std::chrono::nanoseconds> cases[] = {
      {Unit::second, 2s}, {Unit::minute, 2min}, {Unit::hour, 2h}, {Unit::day, 48h}, {Unit::month, 24h * 60}};
  for (auto [unit, length] : cases) {
    QuotaScene scene(one(per(1, 2, unit)));
    CHECK(scene.acquire());
    scene.pass(length - 1ns);
    CHECK_FALSE(scene.acquire());
    scene.pass(1ns);
    CHECK(scene.acquire());
  }
}

TEST_CASE("fixed window: an interval beyond all bounds is a very long one") {
  QuotaScene scene(one(per(1, INT64_MAX, Unit::month)));
  CHECK(scene.acquire());
  Verdict refused = scene.acquire();
  CHECK(refused.earliest > scene.now.steady + 24h * 36000);
}

TEST_CASE("fixed window: setting the clock of people moves no window") {
  QuotaScene scene(one(per(1, 1, Unit::minute)));
  CHECK(scene.acquire());
  scene.now.wall += 1h;
  CHECK_FALSE(scene.acquire());
  scene.now.wall -= 48h;
  scene.pass(60s);
  CHECK(scene.acquire());
}

TEST_CASE("fixed window: a need larger than max can never be granted") {
  QuotaScene scene(one(per(5, 1, Unit::second)));
  CHECK(scene.acquire(0, 6).kind == Verdict::Kind::never);
  CHECK_FALSE(Ledger::ever_admits(scene.binding, scene.chain(0, 6)));
  CHECK(Ledger::ever_admits(scene.binding, scene.chain(0, 5)));
  CHECK(scene.acquire(0, 5));
  CHECK(scene.acquire(0, 1).kind == Verdict::Kind::refused);
}

TEST_CASE("fixed window: groups count apart, absent headers together") {
  QuotaScene scene(one(per(2, 1, Unit::minute), "x-team"));
  CHECK(scene.admitted(5, 0, "a") == 2);
  CHECK(scene.admitted(5, 0, "b") == 2);
  CHECK(scene.admitted(5) == 2);
  CHECK(scene.seen("Q", "a").used == 2);
  CHECK(scene.seen("Q", "default").used == 2);
}

TEST_CASE("fixed window: without grouping the group of a request does not matter") {
  QuotaScene scene(one(per(2, 1, Unit::minute)));
  CHECK(scene.admitted(2, 0, "a") == 2);
  CHECK_FALSE(scene.acquire(0, 1, "b"));
}

TEST_CASE("fixed window: above 100,000 live groups new values share one, until others close") {
  QuotaScene scene(one(per(1, 1, Unit::minute), "x-team"));
  for (size_t i = 0; i < max_live_groups; ++i) REQUIRE(scene.acquire(0, 1, std::to_string(i)));
  CHECK(scene.acquire(0, 1, "late"));
  CHECK_FALSE(scene.acquire(0, 1, "later"));  // its group, overflow, is used up
  CHECK_FALSE(scene.acquire(0, 1, "7"));      // known ones have their own
  CHECK(scene.seen("Q", "overflow").used == 1);
  CHECK(scene.ledger.view(scene.now).front().overflowed == 1);
  scene.pass(60s);
  CHECK(scene.acquire(0, 1, "late"));
  CHECK(scene.acquire(0, 1, "later"));
}

TEST_CASE("fixed window: closed groups are forgotten while others go on") {
  QuotaScene scene(one(per(1, 1, Unit::second), "x-team"));
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(scene.acquire(0, 1, std::to_string(i)));
    scene.pass(10ms);
  }
  CHECK(scene.ledger.view(scene.now).front().groups.size() <= 102);
  scene.pass(1s);
  scene.ledger.sweep(scene.now);
  CHECK(scene.ledger.view(scene.now).front().groups.empty());
}

TEST_CASE("renewal: a monthly window closes at the interval-th instant after it opened") {
  FixedWindow window = per(1, 2, Unit::month);
  window.renewal = MonthlyRenewal{31, 6, 0};
  QuotaScene scene(one(window), "2025-01-31T06:00:00Z");
  CHECK(scene.acquire());
  CHECK(scene.acquire().earliest - scene.now.steady == utc_time("2025-03-31T06:00:00Z") - scene.now.wall);
  scene.go_to("2025-02-28T06:00:00Z");
  CHECK_FALSE(scene.acquire());
  scene.go_to("2025-03-31T05:59:59.999Z");
  CHECK_FALSE(scene.acquire());
  scene.pass(1ms);
  CHECK(scene.acquire());
}

TEST_CASE("renewal: other windows close at their interval or at the next instant, whichever is first") {
  FixedWindow window = per(1, 1, Unit::day);
  window.renewal = MonthlyRenewal{15, 0, 0};
  QuotaScene scene(one(window), "2025-06-13T12:00:00Z");
  CHECK(scene.acquire());
  scene.go_to("2025-06-14T11:59:59.999Z");
  CHECK_FALSE(scene.acquire());
  scene.go_to("2025-06-14T12:00:00Z");
  CHECK(scene.acquire());
  scene.go_to("2025-06-14T23:59:59.999Z");
  CHECK_FALSE(scene.acquire());
  scene.go_to("2025-06-15T00:00:00Z");
  CHECK(scene.acquire());
}

TEST_CASE("response counter: admitted while used is below max, and amounts go above it") {
  FixedWindow window = per(100, 1, Unit::minute);
  window.counter = Counter::response;
  window.counter_path = "$.response.usage.total_tokens";
  QuotaScene scene(one(window));
  CHECK(scene.admitted(50) == 50);  // nothing was added yet
  CHECK_FALSE(scene.seen("Q").ends);
  auto add = [&](int64_t amount, Ledger::Bound bound) { Ledger::add(scene.binding, {0, amount}, bound, scene.now); };
  add(0, Ledger::Bound::none);
  CHECK_FALSE(scene.seen("Q").ends);
  add(99, Ledger::Bound::none);
  CHECK(scene.acquire());
  add(50, Ledger::Bound::none);
  CHECK(scene.seen("Q").used == 149);
  CHECK(scene.acquire().kind == Verdict::Kind::refused);
  scene.pass(60s);
  CHECK(scene.acquire());
  add(30, Ledger::Bound::none);  // of a request of the window before: it counts in the one that is open now
  CHECK(scene.seen("Q").used == 30);
  add(1000, Ledger::Bound::limit);  // automatic counting
  CHECK(scene.seen("Q").used == 100);
}

TEST_CASE("request counter: the amount is counted at the acquire, and 0 opens no window") {
  FixedWindow window = per(10, 1, Unit::minute);
  window.counter = Counter::request;
  QuotaScene scene(one(window));
  CHECK(scene.acquire(0, 0));
  CHECK(scene.acquire(0, -5));
  CHECK_FALSE(scene.seen("Q").ends);
  CHECK(scene.acquire(0, 7));
  CHECK_FALSE(scene.acquire(0, 4));
  CHECK(scene.acquire(0, 3));
  CHECK(scene.acquire(0, 0));
  CHECK_FALSE(scene.acquire(0, 1));
}
