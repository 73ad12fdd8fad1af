// flows.md §1.5, §8.6 and §8.7.
#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

// 0: root, 10 a minute. 1: child, 3 a minute. 2: other child, 20 a second. 3: grandchild of 1, 2 slots.
QuotaSet family() {
  return {{{"Root", {}, per(10, 1, Unit::minute), ""},
           {"Small", 0, per(3, 1, Unit::minute), ""},
           {"Quick", 0, per(20, 1, Unit::second), ""},
           {"Slots", 1, Concurrent{2, 60s, 30s}, ""}}};
}

QuotaSet one(FixedWindow window, std::string id = "Q", std::string group_by = "") {
  return {{{std::move(id), {}, std::move(window), std::move(group_by)}}};
}

}  // namespace

TEST_CASE("acquire: a node and all its ancestors are changed together, or none") {
  QuotaScene scene(family());
  CHECK(scene.admitted(5, 1) == 3);
  CHECK(scene.seen("Root").used == 3);
  CHECK(scene.admitted(20, 2) == 7);
  CHECK(scene.seen("Quick").used == 7);  // what the root refused was not counted below
  CHECK(scene.seen("Root").used == 10);
  CHECK(scene.acquire(0).kind == Verdict::Kind::refused);
}

TEST_CASE("acquire: a refusal names the earliest instant at which all could admit") {
  QuotaScene scene(family());
  CHECK(scene.admitted(10, 0) == 10);
  scene.pass(5s);
  CHECK(scene.acquire(2).earliest == scene.now.steady + 55s);
  CHECK(scene.acquire(2).refused_by == 1);
  CHECK(scene.acquire(3).refused_by == 2);
  scene.pass(55s);
  CHECK(scene.acquire(2));
}

TEST_CASE("acquire: never, when one of the chain never can") {
  QuotaScene scene(family());
  CHECK(scene.acquire(2, 11).kind == Verdict::Kind::never);
  CHECK(scene.acquire(1, 4).kind == Verdict::Kind::never);
  CHECK(scene.seen("Root").used == 0);
}

TEST_CASE("acquire: two instances on one node count twice, and nothing is given back") {
  QuotaScene scene(family());
  CHECK(scene.acquire_as(TransactionId{1}, 1));
  CHECK(scene.acquire_as(TransactionId{1}, 1));
  CHECK(scene.seen("Small").used == 2);
}

TEST_CASE("acquire: each node has its own amount and group") {
  QuotaScene scene({{{"Root", {}, per(10, 1, Unit::minute), ""}, {"Team", 0, per(5, 1, Unit::minute), "x-team"}}});
  std::vector<Claim> chain = {{1, 1, "a"}, {0, 4}};
  CHECK(scene.ledger.acquire(scene.binding, chain, TransactionId{1}, scene.now));
  CHECK(scene.seen("Team", "a").used == 1);
  CHECK(scene.seen("Root").used == 4);
  chain[0].group = "b";
  CHECK(scene.ledger.acquire(scene.binding, chain, TransactionId{2}, scene.now));
  CHECK_FALSE(scene.ledger.acquire(scene.binding, chain, TransactionId{3}, scene.now));
  CHECK(scene.seen("Team", "b").used == 1);
}

TEST_CASE("automatic counting: never above max, and node by node") {
  QuotaScene scene(family());
  for (uint64_t i = 0; i < 5; ++i) {
    auto claims = scene.chain(1);
    Ledger::count_automatically(scene.binding, claims, TransactionId{i}, scene.now);
    CHECK(claims[0].counted == (i < 3));
    CHECK(claims[1].counted);
  }
  CHECK(scene.seen("Small").used == 3);
  CHECK(scene.seen("Root").used == 5);
}

TEST_CASE("automatic counting: of an amount that does not fit, as much as fits") {
  QuotaScene scene(one(per(10, 1, Unit::minute)));
  auto claims = scene.chain(0, 7);
  Ledger::count_automatically(scene.binding, claims, TransactionId{1}, scene.now);
  CHECK(claims[0].counted);
  Ledger::count_automatically(scene.binding, claims, TransactionId{2}, scene.now);
  CHECK_FALSE(claims[0].counted);
  CHECK(scene.seen("Q").used == 10);
}

TEST_CASE("automatic counting: the first reference takes the unit over") {
  QuotaScene scene(family());
  auto counted = scene.chain(1);
  Ledger::count_automatically(scene.binding, counted, TransactionId{1}, scene.now);
  // A reference to the root, that the counting of its child has fed.
  std::vector<Claim> reference = {counted[1]};
  CHECK(scene.ledger.acquire(scene.binding, reference, TransactionId{1}, scene.now));
  CHECK(scene.seen("Root").used == 1);
  reference[0].counted = false;  // the second reference
  CHECK(scene.ledger.acquire(scene.binding, reference, TransactionId{1}, scene.now));
  CHECK(scene.seen("Root").used == 2);
}

TEST_CASE("automatic counting: a unit that is taken over is admitted though max is reached") {
  QuotaScene scene(one(per(1, 1, Unit::minute)));
  auto claims = scene.chain(0);
  Ledger::count_automatically(scene.binding, claims, TransactionId{1}, scene.now);
  CHECK(scene.ledger.acquire(scene.binding, claims, TransactionId{1}, scene.now));
  CHECK_FALSE(scene.acquire());
}

TEST_CASE("automatic counting: slots are taken while there are some") {
  QuotaScene scene({{{"S", {}, Concurrent{1, 60s, 30s}, ""}}});
  auto claims = scene.chain(0);
  Ledger::count_automatically(scene.binding, claims, TransactionId{1}, scene.now);
  CHECK(claims[0].counted);
  Ledger::count_automatically(scene.binding, claims, TransactionId{2}, scene.now);
  CHECK_FALSE(claims[0].counted);
  CHECK(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));
  CHECK_FALSE(Ledger::release(scene.binding, 0, TransactionId{2}, scene.now));
}

TEST_CASE("reload: counters survive with id and strategy, and new numbers apply at once") {
  QuotaScene scene(one(per(10, 1, Unit::minute)));
  CHECK(scene.admitted(6) == 6);
  scene.rebind(one(per(8, 1, Unit::minute)));
  CHECK(scene.admitted(10) == 2);
  scene.rebind(one(per(4, 1, Unit::minute)));  // lower than used
  CHECK_FALSE(scene.acquire());
  CHECK(scene.seen("Q").used == 8);
  CHECK(scene.seen("Q").limit == 4);
  scene.rebind(one(per(9, 1, Unit::minute)));
  CHECK(scene.admitted(10) == 1);
}

TEST_CASE("reload: any change of the strategy begins anew") {
  FixedWindow base = per(1, 1, Unit::minute);
  FixedWindow interval = base, unit = base, counter = base, path = base, renewal = base;
  interval.interval = 2;
  unit.unit = Unit::hour;
  counter.counter = path.counter = Counter::request;
  counter.counter_path = "$.request.headers[\"x-n\"]";
  path.counter_path = "$.request.headers[\"x-m\"]";
  renewal.renewal = MonthlyRenewal{};
  const QuotaSet changes[] = {one(interval),
                              one(unit),
                              one(counter),
                              one(path),
                              one(renewal),
                              one(base, "Q", "x-team"),
                              one(base, "R"),
                              {{{"Q", {}, Concurrent{1, 60s, 30s}, ""}}},
                              {{{"Q", {}, HeaderBased{"x"}, ""}}}};
  QuotaScene scene(one(base));
  for (const QuotaSet& change : changes) {
    scene.rebind(change);
    CHECK(scene.acquire());
  }
}

TEST_CASE("reload: transactions under way go on counting where they began") {
  QuotaScene scene(one(per(2, 1, Unit::minute)));
  Binding old = scene.binding;
  scene.rebind(one(per(2, 1, Unit::hour)));
  CHECK(scene.admitted(2) == 2);
  Claim claim{0};
  CHECK(scene.ledger.acquire(old, {&claim, 1}, TransactionId{77}, scene.now));  // its own counters
  scene.rebind({});
  CHECK(scene.ledger.acquire(old, {&claim, 1}, TransactionId{78}, scene.now));
  CHECK_FALSE(scene.ledger.acquire(old, {&claim, 1}, TransactionId{79}, scene.now));
  std::weak_ptr<QuotaState> state = old->nodes[0];
  old.reset();
  CHECK(state.expired());
}

TEST_CASE("reload: what closed before it closed under the old numbers") {
  FixedWindow window = per(10, 1, Unit::day);
  window.spillover_max = 9;
  window.carry_renewal = window.renewal = MonthlyRenewal{};
  QuotaScene scene(one(window));
  CHECK(scene.admitted(4) == 4);
  scene.pass(24h);
  window.max = 3;
  scene.rebind(one(window));
  CHECK(scene.seen("Q").limit == 9);
  window.spillover_max = 2;
  scene.rebind(one(window));
  CHECK(scene.seen("Q").limit == 5);
}
