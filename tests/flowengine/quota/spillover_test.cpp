// flows.md §8.3: what a window leaves over for the next.
#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

FixedWindow daily(int64_t max, int64_t spillover, MonthlyRenewal renewal = {}) {
  FixedWindow window = per(max, 1, Unit::day);
  window.spillover_max = spillover;
  window.renewal = renewal;
  window.carry_renewal = renewal;
  return window;
}

FixedWindow inheriting(int64_t max, int64_t spillover) {
  FixedWindow window = daily(max, spillover);
  window.renewal.reset();
  return window;
}

QuotaSet one(FixedWindow window) { return {{{"Q", {}, std::move(window), ""}}}; }

}  // namespace

TEST_CASE("spillover: the next window admits what the last one left over, up to spillover.max") {
  QuotaScene scene(one(daily(10, 4)));
  CHECK(scene.admitted(8) == 8);
  scene.pass(24h);
  CHECK(scene.seen("Q").limit == 12);
  CHECK(scene.admitted(20) == 12);
  scene.pass(24h);
  CHECK(scene.admitted(20) == 10);  // nothing left over
  scene.pass(24h);
  CHECK(scene.admitted(1) == 1);
  scene.pass(24h);
  CHECK(scene.admitted(20) == 14);  // 9 were left, 4 may be carried
}

TEST_CASE("spillover: carried units are carried on") {
  QuotaScene scene(one(daily(10, 15)));
  CHECK(scene.admitted(3) == 3);
  scene.pass(24h);
  CHECK(scene.admitted(5) == 5);  // of 17
  scene.pass(24h);
  CHECK(scene.seen("Q").limit == 22);
}

TEST_CASE("spillover: only windows that were opened contribute") {
  QuotaScene scene(one(daily(10, 4)));
  scene.pass(24h * 5);
  CHECK(scene.seen("Q").limit == 10);
  CHECK(scene.admitted(10) == 10);
  scene.pass(24h * 7);
  CHECK(scene.seen("Q").limit == 10);
}

TEST_CASE("spillover: carry waits for the next window") {
  QuotaScene scene(one(daily(10, 4)));
  CHECK(scene.admitted(9) == 9);
  scene.pass(24h * 9);
  CHECK(scene.admitted(20) == 11);
}

TEST_CASE("spillover: after an overshoot nothing is carried, and nothing is owed") {
  QuotaScene scene(one(daily(10, 4)));
  Ledger::add(scene.binding, {0, 25}, Ledger::Bound::none, scene.now);
  scene.pass(24h);
  CHECK(scene.admitted(20) == 10);
}

TEST_CASE("spillover: carry is 0 after each renewal instant, not before") {
  QuotaScene scene(one(daily(10, 4, {15, 0, 0})), "2025-06-13T00:00:00Z");
  CHECK(scene.admitted(5) == 5);
  scene.go_to("2025-06-14T23:59:59.999Z");
  CHECK(scene.seen("Q").limit == 14);
  scene.go_to("2025-06-15T00:00:00Z");
  CHECK(scene.seen("Q").limit == 10);
}

TEST_CASE("spillover: a window that the renewal closes leaves nothing over") {
  QuotaScene scene(one(daily(10, 4, {15, 0, 0})), "2025-06-14T12:00:00Z");
  CHECK(scene.admitted(5) == 5);
  scene.go_to("2025-06-15T00:00:00Z");
  CHECK(scene.admitted(20) == 10);
}

TEST_CASE("spillover: a window that ends at the very instant of the renewal leaves nothing over") {
  QuotaScene scene(one(inheriting(10, 4)), "2025-06-30T00:00:00Z");
  CHECK(scene.admitted(5) == 5);
  scene.go_to("2025-07-01T00:00:00Z");
  CHECK(scene.admitted(20) == 10);
}

TEST_CASE("spillover: an inherited renewal ends the carry inside of a window, and closes none") {
  QuotaScene scene(one(inheriting(10, 4)), "2025-06-29T12:00:00Z");
  CHECK(scene.admitted(2) == 2);
  scene.go_to("2025-06-30T12:00:00Z");
  CHECK(scene.admitted(6) == 6);
  CHECK(scene.seen("Q").limit == 14);
  scene.go_to("2025-06-30T23:59:59.999Z");
  CHECK(scene.seen("Q").limit == 14);
  scene.go_to("2025-07-01T00:00:00Z");
  CHECK(scene.seen("Q").limit == 10);
  CHECK(scene.seen("Q").used == 6);
  // What is left over at the end counts without the carry that was lost, and is carried since the renewal has passed.
  scene.go_to("2025-07-01T12:00:00Z");
  CHECK(scene.seen("Q").limit == 14);
  CHECK(scene.seen("Q").used == 0);
}

TEST_CASE("spillover: what happened unobserved comes to the same") {
  QuotaScene scene(one(inheriting(10, 9)), "2025-06-29T12:00:00Z");
  CHECK(scene.admitted(3) == 3);
  scene.go_to("2025-06-30T12:00:00Z");
  CHECK(scene.admitted(6) == 6);  // of 17, from here to the end of the window nobody looks
  scene.go_to("2025-07-01T13:00:00Z");
  CHECK(scene.seen("Q").limit == 14);
}

TEST_CASE("spillover: a need above max waits for what a window leaves over") {
  FixedWindow window = daily(10, 4);
  window.counter = Counter::request;
  QuotaScene scene(one(window));
  CHECK(scene.acquire(0, 15).kind == Verdict::Kind::never);
  CHECK(scene.acquire(0, 12).kind == Verdict::Kind::refused);
  CHECK(scene.acquire(0, 7));
  Verdict refused = scene.acquire(0, 12);
  CHECK(refused.kind == Verdict::Kind::refused);
  CHECK(refused.earliest == scene.now.steady + 24h);
  scene.pass(24h);
  CHECK(scene.acquire(0, 12));
}
