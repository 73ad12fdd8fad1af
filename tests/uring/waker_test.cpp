#include <optional>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

// Counts how often it was woken; ends when told to.
struct Sleeper {
  explicit Sleeper(Loop& owner) : loop(owner), waker(owner) {}
  Task<> live() {
    running = true;
    while (!leave) {
      co_await waker.wait(deadline);
      ++wakes;
      woken_at = loop.now();
    }
    running = false;
  }
  void end() {
    leave = true;
    waker.signal();
  }
  Loop& loop;
  Waker waker;
  MonotonicTime deadline = MonotonicTime::max();
  MonotonicTime woken_at;
  int wakes = 0;
  bool leave = false;
  bool running = false;
};

}  // namespace

TEST_CASE("waker: a signal before the wait is not lost, and wakes once") {
  Ground ground;
  TaskGroup group;
  Sleeper sleeper(ground.loop);
  sleeper.waker.signal();
  sleeper.waker.signal();
  group.start(sleeper.live());
  CHECK(sleeper.wakes == 1);
  ground.settle();
  CHECK(sleeper.wakes == 1);
  sleeper.end();
  CHECK(ground.until([&] { return group.size() == 0; }));
}

TEST_CASE("waker: many signals in one turn wake once, each later turn again") {
  Ground ground;
  TaskGroup group;
  Sleeper sleeper(ground.loop);
  group.start(sleeper.live());
  ground.settle();
  CHECK(sleeper.wakes == 0);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 5; ++i) sleeper.waker.signal();
    CHECK(sleeper.wakes == round - 1);  // not from within signal()
    ground.settle();
    CHECK(sleeper.wakes == round);
  }
  sleeper.end();
  CHECK(ground.until([&] { return group.size() == 0; }));
}

TEST_CASE("waker: the deadline wakes when it has passed, not before") {
  Ground ground;
  TaskGroup group;
  Sleeper sleeper(ground.loop);
  sleeper.deadline = monotonic_now() + milliseconds(30);
  group.start(sleeper.live());
  CHECK(ground.until([&] { return sleeper.wakes == 1; }));
  CHECK(sleeper.woken_at >= sleeper.deadline);
  sleeper.deadline = MonotonicTime::max();
  CHECK(ground.until([&] { return sleeper.wakes >= 1; }));
  sleeper.end();
  CHECK(ground.until([&] { return group.size() == 0; }));
}

TEST_CASE("waker: a deadline that moves away does not wake at its old place, one that comes nearer does at the new") {
  Ground ground;
  TaskGroup group;
  Sleeper sleeper(ground.loop);
  MonotonicTime begin = monotonic_now();
  sleeper.deadline = begin + milliseconds(20);
  group.start(sleeper.live());
  sleeper.deadline = begin + milliseconds(80);
  sleeper.waker.signal();  // goes to sleep again, until later
  ground.settle();
  CHECK(sleeper.wakes == 1);
  CHECK(ground.until([&] { return sleeper.wakes == 2; }));
  CHECK(sleeper.woken_at >= begin + milliseconds(80));

  sleeper.deadline = monotonic_now() + seconds(3600);
  sleeper.waker.signal();
  ground.settle();
  MonotonicTime near = monotonic_now() + milliseconds(10);
  sleeper.deadline = near;
  sleeper.waker.signal();
  ground.settle();
  int before = sleeper.wakes;
  CHECK(ground.until([&] { return sleeper.wakes > before || ground.loop.now() > near + seconds(5); }));
  CHECK(sleeper.woken_at < near + seconds(5));
  sleeper.deadline = MonotonicTime::max();
  sleeper.end();
  CHECK(ground.until([&] { return group.size() == 0; }));
}

TEST_CASE("waker: signal and deadline in the same turn wake once") {
  Ground ground;
  TaskGroup group;
  Sleeper sleeper(ground.loop);
  sleeper.deadline = ground.loop.now();
  group.start(sleeper.live());
  sleeper.waker.signal();
  sleeper.deadline = MonotonicTime::max();
  ground.run_for(milliseconds(10));
  CHECK(sleeper.wakes == 1);
  sleeper.end();
  CHECK(ground.until([&] { return group.size() == 0; }));
}

TEST_CASE("waker: destroyed while queued, by itself or by one that is woken before it") {
  Ground ground;
  {
    auto queued = std::make_unique<Waker>(ground.loop);
    queued->signal();
    queued.reset();
    ground.settle();
  }
  TaskGroup group;
  std::optional<Waker> victim(std::in_place, ground.loop);
  Waker killer(ground.loop);
  group.start([](Waker& mine, std::optional<Waker>& other) -> Task<> {
    co_await mine.wait(MonotonicTime::max());
    other.reset();
  }(killer, victim));
  killer.signal();
  victim->signal();
  CHECK(ground.until([&] { return group.size() == 0; }));
  CHECK_FALSE(victim.has_value());
  ground.settle();
}

TEST_CASE("waker: destroyed with its deadline still set") {
  Ground ground;
  TaskGroup group;
  group.start([](Loop& loop) -> Task<> {
    Waker waker(loop);
    waker.signal();
    co_await waker.wait(loop.now() + milliseconds(5));
  }(ground.loop));
  CHECK(group.size() == 0);
  ground.run_for(milliseconds(15));
}

TEST_CASE("waker: two that wake each other leave the loop its turns") {
  Ground ground;
  TaskGroup group;
  Waker ping(ground.loop);
  Waker pong(ground.loop);
  bool leave = false;
  auto play = [](Waker& mine, Waker& other, bool& end) -> Task<> {
    while (!end) {
      co_await mine.wait(MonotonicTime::max());
      other.signal();
    }
  };
  group.start(play(ping, pong, leave));
  group.start(play(pong, ping, leave));
  ping.signal();
  bool posted = false;
  ground.loop.post([&] { posted = true; });
  CHECK(ground.until([&] { return posted; }));
  leave = true;
  ping.signal();
  pong.signal();
  CHECK(ground.until([&] { return group.size() == 0; }));
}
