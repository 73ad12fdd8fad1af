// flows.md §7.2 where several quotas, their groups and their ancestors meet.
#include <map>

#include "tests/flowengine/quota/waiting_scene.h"

using namespace lunar;

namespace {

// 0: parent, 3 per 10 s. 1 and 2: children, 2 per minute and 5 per 10 s.
QuotaSet family() {
  return {{{"Parent", {}, per(3, 10, Unit::second), ""},
           {"Narrow", 0, per(2, 1, Unit::minute), ""},
           {"Wide", 0, per(5, 10, Unit::second), ""}}};
}

}  // namespace

TEST_CASE("queue: two quotas do not block one another") {
  WaitingScene scene({{{"A", {}, per(1, 10, Unit::second), ""}, {"B", {}, per(1, 1, Unit::second), ""}}});
  CHECK(scene.admits({.node = 0}));
  Ticket a = scene.waits({.node = 0});
  CHECK(scene.admits({.node = 1}));
  Ticket b = scene.waits({.node = 1, .priority = 7});
  scene.run(1s);
  CHECK(scene.take() == Tickets{b});
  scene.run(9s);
  CHECK(scene.take() == Tickets{a});
}

TEST_CASE("queue: groups of a quota do not block one another") {
  WaitingScene scene({{{"Q", {}, per(1, 10, Unit::second), "x-team"}}});
  CHECK(scene.admits({.quota_group = "a"}));
  Ticket a = scene.waits({.quota_group = "a"});
  scene.pass(5s);
  CHECK(scene.admits({.priority = 9, .quota_group = "b"}));
  Ticket b = scene.waits({.quota_group = "b"});
  scene.run(5s);
  CHECK(scene.take() == Tickets{a});
  scene.run(5s);
  CHECK(scene.take() == Tickets{b});
}

TEST_CASE("queue: waiters of a child and of its parent compete by priority and arrival") {
  WaitingScene scene(family());
  for (int i = 0; i < 3; ++i) CHECK(scene.admits({.node = 0}));
  Ticket a = scene.waits({.node = 2, .priority = 2});
  Ticket b = scene.waits({.node = 0, .priority = 1});
  Ticket c = scene.waits({.node = 1, .priority = 2});
  Ticket d = scene.waits({.node = 0, .priority = 2});
  Ticket e = scene.waits({.node = 2, .priority = 1});
  scene.run(10s - 1ns);
  CHECK(scene.take().empty());
  scene.run(1ns);
  CHECK(scene.take() == Tickets{b, e, a});
  scene.run(10s);
  CHECK(scene.take() == Tickets{c, d});
}

TEST_CASE("queue: one that its own child refuses does not hold up the parent") {
  WaitingScene scene(family());
  CHECK(scene.admits({.node = 1}));
  CHECK(scene.admits({.node = 1}));
  Ticket narrow = scene.waits({.node = 1, .priority = -5});  // up to the end of its minute
  CHECK(scene.admits({.node = 0}));
  Ticket parent = scene.waits({.node = 0});
  scene.run(10s);
  CHECK(scene.take() == Tickets{parent});
  CHECK(scene.admits({.node = 2}));
  scene.run(50s - 1ns);
  CHECK(scene.take().empty());
  scene.run(1ns);
  CHECK(scene.take() == Tickets{narrow});
}

TEST_CASE("queue: an arrival at a child does not overtake whoever waits for the parent") {
  WaitingScene scene(family());
  for (int i = 0; i < 3; ++i) CHECK(scene.admits({.node = 0}));
  Ticket first = scene.waits({.node = 1, .priority = 3});
  scene.pass(10s);  // the parent has room, and nobody was woken yet
  Ticket second = scene.waits({.node = 2, .priority = 3});
  CHECK(scene.admits({.node = 2, .priority = 2}));
  scene.wake();
  CHECK(scene.take() == Tickets{first, second});
}

TEST_CASE("queue: those stopped behind another go on when it leaves") {
  FixedWindow budget = per(10, 10, Unit::second);
  budget.counter = Counter::request;
  WaitingScene scene({{{"Parent", {}, budget, ""}, {"A", 0, budget, ""}, {"B", 0, budget, ""}}});
  CHECK(scene.admits({.node = 0, .amount = 6}));
  Ticket large = scene.waits({.node = 1, .amount = 8});
  Ticket small = scene.waits({.node = 2, .amount = 2});
  scene.run(3s);
  CHECK(scene.take().empty());
  scene.lines.leave(large);
  scene.run(0s);
  CHECK(scene.take() == Tickets{small});
}

TEST_CASE("queue: waiters finish on the plan with which they came") {
  WaitingScene scene({{{"Q", {}, per(1, 10, Unit::second), ""}}});
  CHECK(scene.admits());
  Ticket old = scene.waits();
  scene.rebind({{{"Q", {}, per(1, 20, Unit::second), ""}}});
  scene.lines.freed_everywhere();
  CHECK(scene.admits());
  Ticket fresh = scene.waits();
  scene.run(10s);
  CHECK(scene.take() == Tickets{old});
  scene.run(10s);
  CHECK(scene.take() == Tickets{fresh});
}

TEST_CASE("queue: counters that survive a reload keep their waiters in one order") {
  WaitingScene scene({{{"Q", {}, per(1, 10, Unit::second), ""}}});
  CHECK(scene.admits());
  Ticket old = scene.waits();
  scene.rebind({{{"Q", {}, per(2, 10, Unit::second), ""}}});
  Ticket fresh = scene.waits();  // there is room, but for the one before
  scene.lines.freed_everywhere();
  scene.run(0s);
  CHECK(scene.take() == Tickets{old});
  scene.run(10s);
  CHECK(scene.take() == Tickets{fresh});
}

TEST_CASE("queue: random crowds leave no room unused, and nobody is passed by its equals") {
  uint64_t state = 11;
  auto below = [&](uint64_t bound) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % bound;
  };
  WaitingScene scene(family());
  std::map<Ticket, std::pair<uint32_t, int64_t>> waiting;
  size_t admitted = 0, direct = 0;
  for (int step = 0; step < 4000; ++step) {
    scene.run(std::chrono::milliseconds(below(8000)));
    for (const Settled& one : std::exchange(scene.settled, {})) {
      auto who = waiting.at(one.ticket);
      waiting.erase(one.ticket);
      if (one.outcome != Settled::Outcome::admitted) continue;
      ++admitted;
      for (auto& [other, same] : waiting) {
        REQUIRE_FALSE((same.first == who.first && same.second < who.second));
        REQUIRE_FALSE((same == who && other < one.ticket));
      }
    }
    auto node = static_cast<uint32_t>(below(3));
    auto priority = static_cast<int64_t>(below(3));
    Answer answer = scene.arrive({.node = node, .priority = priority, .ttl = 30s});
    if (answer.kind == Answer::Kind::waits) waiting[answer.ticket] = {node, priority};
    if (answer.kind == Answer::Kind::admitted) ++direct;
    if (below(10) == 0 && !waiting.empty()) {
      scene.lines.leave(waiting.begin()->first);
      waiting.erase(waiting.begin());
      scene.wake();
      for (Ticket ticket : scene.take()) waiting.erase(ticket);
    }
    // Whoever is the best of the parent's own waiters waits for good reason.
    REQUIRE(scene.lines.size() == waiting.size());
    bool someone = std::ranges::any_of(waiting, [](auto& one) { return one.second.first == 0; });
    GroupView parent = scene.seen("Parent");
    REQUIRE_FALSE((someone && parent.used < parent.limit));
  }
  CHECK(admitted > 100);
  CHECK(direct > 100);
}
