// flows.md §7.2, one line after the other.
#include "tests/flowengine/quota/waiting_scene.h"

using namespace lunar;

namespace {

QuotaSet rate(int64_t max, std::string group_by = "") {
  return {{{"Q", {}, per(max, 10, Unit::second), std::move(group_by)}}};
}

QuotaSet slots(int64_t max) { return {{{"S", {}, Concurrent{max, 60s, 30s}, ""}}}; }

}  // namespace

TEST_CASE("queue (1): an arrival acquires at once if the quota allows and nobody waits") {
  WaitingScene scene(rate(2));
  CHECK(scene.admits());
  CHECK(scene.admits());
  CHECK(scene.lines.size() == 0);
  scene.waits();
  CHECK(scene.lines.size() == 1);
}

TEST_CASE("queue (1): a waiter of equal or better priority in any line of that quota goes first") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket first = scene.waits({.priority = 5, .key = "One", .group = "a"});
  scene.pass(10s);  // there is room now, and nobody has been woken yet
  Ticket equal = scene.waits({.priority = 5, .key = "Other", .group = "b"});
  Ticket worse = scene.waits({.priority = 6});
  CHECK(scene.admits({.priority = 4}));
  scene.run(0s);
  CHECK(scene.take().empty());
  scene.run(30s);
  CHECK(scene.take() == Tickets{first, equal, worse});
}

TEST_CASE("queue (2): by priority, then by arrival") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits({.priority = 2});
  Ticket b = scene.waits({.priority = 1});
  Ticket c = scene.waits({.priority = 2});
  Ticket d = scene.waits({.priority = 1});
  Ticket e = scene.waits({.priority = -3});
  scene.run(50s);
  CHECK(scene.take() == Tickets{e, b, d, a, c});
}

TEST_CASE("queue (2): nobody loses a place by being tried") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits();
  Ticket b = scene.waits();
  for (int i = 0; i < 9; ++i) {
    scene.pass(1s);
    scene.lines.freed_everywhere();
    scene.wake();
  }
  Ticket c = scene.waits();
  scene.run(21s);
  CHECK(scene.take() == Tickets{a, b, c});
}

TEST_CASE("queue (3): waiters wake at the instant of the window reset, not before") {
  WaitingScene scene(rate(2));
  CHECK(scene.admits());
  scene.pass(3s + 7ns);
  CHECK(scene.admits());
  Ticket a = scene.waits();
  CHECK(scene.lines.next_wake() == scene.now.steady + 7s - 7ns);
  scene.run(7s - 8ns);
  CHECK(scene.take().empty());
  scene.run(1ns);
  CHECK(scene.take() == Tickets{a});
  CHECK_FALSE(scene.lines.next_wake());
}

TEST_CASE("queue (3): the best over all groups are admitted until the first refusal") {
  WaitingScene scene(rate(3));
  for (int i = 0; i < 3; ++i) CHECK(scene.admits());
  Ticket a = scene.waits({.priority = 2, .group = "a"});
  Ticket b = scene.waits({.priority = 1, .group = "b"});
  Ticket c = scene.waits({.priority = 3, .group = "c"});
  Ticket d = scene.waits({.priority = 1, .group = "a"});
  scene.run(10s);
  CHECK(scene.take() == Tickets{b, d, a});
  scene.run(10s);
  CHECK(scene.take() == Tickets{c});
}

TEST_CASE("queue (3): a large need that does not fit is not overtaken by a small one") {
  FixedWindow window = per(10, 10, Unit::second);
  window.counter = Counter::request;
  WaitingScene scene({{{"Q", {}, window, ""}}});
  CHECK(scene.admits({.amount = 6}));
  Ticket large = scene.waits({.amount = 8});
  Ticket small = scene.waits({.amount = 3});
  scene.run(9s);
  CHECK(scene.take().empty());
  scene.run(1s);
  CHECK(scene.take() == Tickets{large});
  scene.run(10s);
  CHECK(scene.take() == Tickets{small});
}

TEST_CASE("queue (3): a slot release wakes, and so does the end of an abandoned one") {
  WaitingScene scene(slots(1));
  CHECK(scene.admits());
  TransactionId holder = scene.last;
  Ticket a = scene.waits();
  TransactionId second = scene.last;
  Ticket b = scene.waits();
  scene.run(5s);
  CHECK(scene.take().empty());
  Ledger::release(scene.binding, 0, holder, scene.now);
  scene.lines.freed(scene.binding, 0);
  scene.run(0s);
  REQUIRE(scene.settled.size() == 1);
  CHECK(scene.settled[0].transaction == second);
  CHECK(scene.settled[0].waited == 5s);
  CHECK(scene.take() == Tickets{a});
  scene.run(60s - 1ns);
  CHECK(scene.take().empty());
  scene.run(1ns);
  CHECK(scene.take() == Tickets{b});
}

TEST_CASE("queue (3): a learned reset wakes") {
  WaitingScene scene({{{"H", {}, HeaderBased{"x-remaining", "x-reset", ""}, ""}}});
  CHECK(scene.admits());
  Ledger::learn(scene.binding, 0, scene.last, {"0", "20", {}}, scene.now);
  Ticket a = scene.waits();
  Ticket b = scene.waits();
  scene.run(5s);
  Ledger::learn(scene.binding, 0, TransactionId{77}, {"0", "7", {}}, scene.now);
  scene.lines.freed(scene.binding, 0);
  scene.run(7s - 1ns);
  CHECK(scene.take().empty());
  scene.run(1ns);
  CHECK(scene.take() == Tickets{a, b});
}

TEST_CASE("queue (4): a need larger than the quota can ever grant is blocked at once") {
  WaitingScene scene(rate(2));
  CHECK(scene.blocked({.amount = 3}));
  CHECK(scene.admits({.amount = 2}));
  scene.waits();
  CHECK(scene.blocked({.amount = 3}));
  CHECK(scene.blocked({.priority = -1, .amount = 3}));
}

TEST_CASE("queue (4): also when a reload lowers the quota under a waiter") {
  WaitingScene scene(rate(5));
  CHECK(scene.admits({.amount = 5}));
  Ticket a = scene.waits({.amount = 4});
  Ticket b = scene.waits({.amount = 1});
  scene.rebind(rate(2));
  scene.lines.freed_everywhere();
  scene.run(0s);
  CHECK(scene.take(Settled::Outcome::blocked) == Tickets{a});
  scene.run(10s);
  CHECK(scene.take() == Tickets{b});
}

TEST_CASE("queue (5): a client that leaves costs nothing, and the next one takes its place") {
  FixedWindow window = per(10, 10, Unit::second);
  window.counter = Counter::request;
  WaitingScene scene({{{"Q", {}, window, ""}}});
  CHECK(scene.admits({.amount = 6}));
  Ticket large = scene.waits({.amount = 8});
  Ticket small = scene.waits({.amount = 3});
  scene.lines.leave(large);
  scene.lines.leave(large);
  scene.run(0s);
  CHECK(scene.take() == Tickets{small});
  CHECK(scene.seen("Q").used == 9);
  CHECK(scene.lines.size() == 0);
  scene.run(10s);
  CHECK(scene.admits({.amount = 10}));
}

TEST_CASE("queue (5): one in the middle of the line leaves") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits();
  Ticket b = scene.waits();
  Ticket c = scene.waits();
  scene.lines.leave(b);
  scene.run(30s);
  CHECK(scene.take() == Tickets{a, c});
}

TEST_CASE("queue (6): on shutdown all waiters are blocked, and nobody waits any more") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits();
  Ticket b = scene.waits({.priority = -1});
  auto settled = scene.lines.block_all(scene.now);
  REQUIRE(settled.size() == 2);
  CHECK(settled[0].ticket == a);
  CHECK(settled[1].ticket == b);
  CHECK(settled[1].outcome == Settled::Outcome::blocked);
  CHECK_FALSE(scene.lines.next_wake());
  CHECK(scene.lines.numbers().empty());
  CHECK(scene.blocked({}));
  scene.pass(10s);
  CHECK(scene.admits());
}

TEST_CASE("queue: queue_size counts the waiters of one line alone") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  scene.waits({.queue_size = 2});
  Ticket second = scene.waits({.queue_size = 2});
  CHECK(scene.blocked({.queue_size = 2}));
  CHECK(scene.blocked({.priority = -1, .queue_size = 2}));
  scene.waits({.group = "b", .queue_size = 1});
  scene.waits({.key = "Other", .queue_size = 1});
  CHECK(scene.blocked({.group = "b", .queue_size = 1}));
  scene.lines.leave(second);
  scene.waits({.queue_size = 2});
}

TEST_CASE("queue: of size 0 lets through what the quota allows, and nobody waits") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits({.queue_size = 0}));
  CHECK(scene.blocked({.queue_size = 0}));
}

TEST_CASE("queue: the longest wait ends exactly after the ttl") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits({.ttl = 4500ms});
  scene.run(4500ms - 1ns);
  CHECK(scene.settled.empty());
  scene.run(1ns);
  REQUIRE(scene.settled.size() == 1);
  CHECK(scene.settled[0].waited == 4500ms);
  CHECK(scene.take(Settled::Outcome::expired) == Tickets{a});
  CHECK(scene.lines.size() == 0);
  scene.run(10s);
  CHECK(scene.admits());
}

TEST_CASE("queue: room that comes with the end of the ttl is used") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  Ticket a = scene.waits({.ttl = 10s});
  Ticket b = scene.waits({.ttl = 10s});
  scene.run(10s);
  CHECK(scene.take() == Tickets{a});
  CHECK(scene.take(Settled::Outcome::expired) == Tickets{b});
}

TEST_CASE("queue: who expires first in line lets the next one be tried") {
  FixedWindow window = per(10, 10, Unit::second);
  window.counter = Counter::request;
  WaitingScene scene({{{"Q", {}, window, ""}}});
  CHECK(scene.admits({.amount = 6}));
  scene.waits({.amount = 8, .ttl = 2s});
  Ticket small = scene.waits({.amount = 3});
  scene.run(2s);
  CHECK(scene.take() == Tickets{small});
}

TEST_CASE("queue: numbers by line and priority") {
  WaitingScene scene(rate(1));
  CHECK(scene.admits());
  scene.waits({.priority = 1});
  scene.waits({.priority = 999, .group = "b"});
  scene.waits({.priority = 1});
  Ticket gone = scene.waits({.priority = 2});
  scene.lines.leave(gone);
  auto numbers = scene.lines.numbers();
  REQUIRE(numbers.size() == 2);
  CHECK(numbers[0].group == "b");
  CHECK(numbers[0].priority == 999);
  CHECK(numbers[0].waiting == 1);
  CHECK(numbers[1].group == "default");
  CHECK(numbers[1].waiting == 2);
  CHECK(numbers[1].flow == "flow");
  CHECK(numbers[1].key == "Line");
}
