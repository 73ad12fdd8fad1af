// flows.md §8.5, concurrent.
#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

QuotaSet slots(int64_t max, std::chrono::nanoseconds expiration = 60s) {
  return {{{"S", {}, Concurrent{max, expiration, 30s}, ""}}};
}

}  // namespace

TEST_CASE("concurrent: admitted while live slots are below the maximum") {
  QuotaScene scene(slots(2));
  CHECK(scene.acquire_as(TransactionId{1}));
  CHECK(scene.acquire_as(TransactionId{2}));
  CHECK_FALSE(scene.acquire_as(TransactionId{3}));
  CHECK(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));
  CHECK(scene.acquire_as(TransactionId{3}));
  CHECK_FALSE(scene.acquire_as(TransactionId{1}));
}

TEST_CASE("concurrent: a transaction has one slot however many references") {
  QuotaScene scene(slots(1));
  CHECK(scene.acquire_as(TransactionId{1}));
  CHECK(scene.acquire_as(TransactionId{1}));
  CHECK(scene.seen("S").used == 1);
  CHECK(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));
  CHECK_FALSE(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));
  CHECK(scene.seen("S").used == 0);
}

TEST_CASE("concurrent: slots end after request_expiration_sec, swept or not") {
  QuotaScene scene(slots(1, 10s));
  CHECK(scene.acquire_as(TransactionId{1}));
  scene.pass(4s);
  CHECK(scene.acquire_as(TransactionId{1}));  // a further reference does not prolong it
  Verdict refused = scene.acquire_as(TransactionId{2});
  CHECK(refused.earliest == scene.now.steady + 6s);
  scene.pass(6s - 1ns);
  CHECK_FALSE(scene.acquire_as(TransactionId{2}));
  scene.pass(1ns);
  CHECK(scene.acquire_as(TransactionId{2}));
  CHECK_FALSE(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));  // not the slot of another
  CHECK(scene.seen("S").used == 1);
}

TEST_CASE("concurrent: a lower maximum applies at once, and says when there will be room") {
  QuotaScene scene(slots(3, 60s));
  for (uint64_t i = 1; i <= 3; ++i) {
    CHECK(scene.acquire_as(TransactionId{i}));
    scene.pass(1s);
  }
  Binding old = scene.binding;
  scene.rebind(slots(1, 60s));
  Verdict refused = scene.acquire_as(TransactionId{9});
  CHECK(refused.earliest == scene.now.steady + 59s);  // the third has to go as well
  CHECK(scene.acquire_as(TransactionId{2}));          // who has a slot keeps it
  CHECK(Ledger::release(old, 0, TransactionId{3}, scene.now));
  CHECK(Ledger::release(old, 0, TransactionId{2}, scene.now));
  CHECK_FALSE(scene.acquire_as(TransactionId{9}));
  CHECK(Ledger::release(old, 0, TransactionId{1}, scene.now));
  CHECK(scene.acquire_as(TransactionId{9}));
}

TEST_CASE("concurrent: a new expiration applies to the slots that are taken") {
  QuotaScene scene(slots(1, 60s));
  CHECK(scene.acquire_as(TransactionId{1}));
  scene.pass(5s);
  scene.rebind(slots(1, 5s));
  CHECK(scene.acquire_as(TransactionId{2}));
}

TEST_CASE("concurrent: the sweep frees memory at the period of the node") {
  QuotaScene scene(slots(5, 1s));
  CHECK(scene.admitted(3) == 3);
  scene.ledger.sweep(scene.now);
  scene.pass(29s);
  auto& node = std::get<ConcurrentNode>(scene.binding->nodes[0]->counter);
  scene.ledger.sweep(scene.now);
  CHECK(node.live() == 3);
  scene.pass(1s);
  scene.ledger.sweep(scene.now);
  CHECK(node.live() == 0);
}

TEST_CASE("concurrent: a release gives back nothing in windows") {
  QuotaScene scene({{{"W", {}, per(1, 1, Unit::minute), ""}, {"S", 0, Concurrent{1, 60s, 30s}, ""}}});
  CHECK(scene.acquire_as(TransactionId{1}, 1));
  CHECK_FALSE(Ledger::release(scene.binding, 0, TransactionId{1}, scene.now));
  CHECK(Ledger::release(scene.binding, 1, TransactionId{1}, scene.now));
  Verdict refused = scene.acquire_as(TransactionId{2}, 1);
  CHECK(refused.refused_by == 1);
  CHECK(scene.seen("S").used == 0);  // nothing was taken of the node that would have admitted
}
