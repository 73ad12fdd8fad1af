#include "agent/uring/timers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

using lunar::MonotonicTime;
using lunar::Nanoseconds;
using lunar::uring::Timer;
using lunar::uring::TimerWheel;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// Time is whatever the test says; the wheel starts at an arbitrary moment that is no whole tick.
struct Bench {
  MonotonicTime start{Nanoseconds(123'456'789'012)};
  MonotonicTime now = start;
  TimerWheel wheel{start};

  void advance_to(MonotonicTime when) {
    now = when;
    wheel.advance(now);
  }
  void advance_by(Nanoseconds step) { advance_to(now + step); }
};

struct Probe : Timer {
  explicit Probe(std::function<void()> on_expiry = {}) : Timer(&expired), action(std::move(on_expiry)) {}
  static void expired(Timer& timer) {
    auto& self = static_cast<Probe&>(timer);
    ++self.fired;
    if (self.action) self.action();
  }
  std::function<void()> action;
  int fired = 0;
};

}  // namespace

TEST_CASE("timer wheel: an entry fires when its moment has passed, not before, and once") {
  Bench bench;
  Probe probe;
  bench.wheel.arm(probe, bench.start + milliseconds(10));
  CHECK(probe.armed());

  bench.advance_by(milliseconds(10) - Nanoseconds(1));
  CHECK(probe.fired == 0);
  bench.advance_by(Nanoseconds(1));
  CHECK(probe.fired == 1);
  CHECK_FALSE(probe.armed());
  bench.advance_by(hours(1));
  CHECK(probe.fired == 1);
}

TEST_CASE("timer wheel: a moment between two ticks is rounded up") {
  Bench bench;
  Probe probe;
  bench.wheel.arm(probe, bench.start + microseconds(10'001));
  bench.advance_by(microseconds(10'001) - Nanoseconds(1));
  CHECK(probe.fired == 0);
  bench.advance_to(bench.start + milliseconds(11));
  CHECK(probe.fired == 1);
}

TEST_CASE("timer wheel: not yet and now around every boundary of every level") {
  for (uint64_t boundary : {64ull, 64ull * 64, 64ull * 64 * 64, 64ull * 64 * 64 * 64}) {
    for (uint64_t phase : {0ull, 1ull, 63ull, 64ull, 4095ull, 4096ull}) {
      for (int64_t offset : {-65, -64, -63, -1, 0, 1, 63, 64, 65}) {
        Bench bench;
        bench.advance_by(milliseconds(phase));
        auto ticks = static_cast<int64_t>(boundary) + offset;
        if (ticks < 1) ticks = 1;
        Probe probe;
        MonotonicTime due = bench.now + milliseconds(ticks);
        bench.wheel.arm(probe, due);
        bench.advance_to(due - Nanoseconds(1));
        CHECK_MESSAGE(probe.fired == 0, "boundary ", boundary, " phase ", phase, " offset ", offset);
        bench.advance_to(due);
        CHECK_MESSAGE(probe.fired == 1, "boundary ", boundary, " phase ", phase, " offset ", offset);
      }
    }
  }
}

TEST_CASE("timer wheel: a day away is farther than the wheel and still exact") {
  Bench bench;
  Probe day;
  Probe two_days;
  bench.wheel.arm(day, bench.start + hours(24));
  bench.wheel.arm(two_days, bench.start + hours(48));
  for (int hour = 0; hour < 23; ++hour) bench.advance_by(hours(1));
  bench.advance_to(bench.start + hours(24) - Nanoseconds(1));
  CHECK(day.fired == 0);
  bench.advance_to(bench.start + hours(24));
  CHECK(day.fired == 1);
  bench.advance_to(bench.start + hours(48) - Nanoseconds(1));
  CHECK(two_days.fired == 0);
  bench.advance_to(bench.start + hours(48));
  CHECK(two_days.fired == 1);
}

TEST_CASE("timer wheel: never is a moment too") {
  Bench bench;
  Probe probe;
  bench.wheel.arm(probe, MonotonicTime::max());
  bench.advance_by(hours(48));
  CHECK(probe.fired == 0);
  CHECK(probe.armed());
}

TEST_CASE("timer wheel: the past fires with the next tick") {
  Bench bench;
  bench.advance_by(milliseconds(1000));
  Probe probe;
  bench.wheel.arm(probe, bench.start - hours(1));
  bench.advance_by(Nanoseconds(0));
  CHECK(probe.fired == 0);
  bench.advance_by(milliseconds(1));
  CHECK(probe.fired == 1);
}

TEST_CASE("timer wheel: arming an armed entry moves it, both ways") {
  Bench bench;
  Probe later;
  Probe sooner;
  bench.wheel.arm(later, bench.start + milliseconds(5));
  bench.wheel.arm(later, bench.start + milliseconds(500));
  bench.wheel.arm(sooner, bench.start + hours(1));
  bench.wheel.arm(sooner, bench.start + milliseconds(7));
  bench.advance_by(milliseconds(499));
  CHECK(later.fired == 0);
  CHECK(sooner.fired == 1);
  bench.advance_by(milliseconds(1));
  CHECK(later.fired == 1);
  bench.advance_by(hours(2));
  CHECK(sooner.fired == 1);
}

TEST_CASE("timer wheel: disarmed and destroyed entries never fire") {
  Bench bench;
  Probe disarmed;
  Probe neighbour;
  auto destroyed = std::make_unique<Probe>();
  for (Probe* probe : {&disarmed, destroyed.get(), &neighbour}) bench.wheel.arm(*probe, bench.start + milliseconds(9));
  disarmed.disarm();
  disarmed.disarm();
  destroyed.reset();
  bench.advance_by(milliseconds(9));
  CHECK(disarmed.fired == 0);
  CHECK(neighbour.fired == 1);
}

TEST_CASE("timer wheel: a callback may arm itself again") {
  Bench bench;
  Probe probe;
  probe.action = [&] { bench.wheel.arm(probe, bench.start + milliseconds(10 * (probe.fired + 1))); };
  bench.wheel.arm(probe, bench.start + milliseconds(10));
  bench.advance_by(milliseconds(99));
  CHECK(probe.fired == 9);
  bench.advance_by(milliseconds(1));
  CHECK(probe.fired == 10);
}

TEST_CASE("timer wheel: a callback that arms for the past runs once per tick and ends") {
  Bench bench;
  Probe probe;
  probe.action = [&] { bench.wheel.arm(probe, bench.start); };
  bench.wheel.arm(probe, bench.start);
  bench.advance_by(milliseconds(100));
  CHECK(probe.fired == 100);
}

TEST_CASE("timer wheel: a callback may disarm, move and destroy others that are due now") {
  Bench bench;
  Probe disarmed;
  Probe moved;
  auto destroyed = std::make_unique<Probe>();
  Probe actor([&] {
    disarmed.disarm();
    bench.wheel.arm(moved, bench.start + milliseconds(20));
    destroyed.reset();
  });
  MonotonicTime due = bench.start + milliseconds(10);
  for (Probe* probe : {&actor, &disarmed, &moved, destroyed.get()}) bench.wheel.arm(*probe, due);
  bench.advance_to(due);
  CHECK(actor.fired == 1);
  CHECK(disarmed.fired == 0);
  CHECK(moved.fired == 0);
  bench.advance_to(bench.start + milliseconds(20));
  CHECK(moved.fired == 1);
}

TEST_CASE("timer wheel: a callback may destroy its own entry") {
  Bench bench;
  std::unique_ptr<Probe> probe;
  bool ran = false;
  probe = std::make_unique<Probe>([&] {
    ran = true;
    auto gone = std::move(probe->action);  // the running function outlives the entry
    probe.reset();
  });
  bench.wheel.arm(*probe, bench.start + milliseconds(3));
  bench.advance_by(milliseconds(3));
  CHECK(ran);
  CHECK(probe == nullptr);
}

TEST_CASE("timer wheel: entries outlive the wheel") {
  Probe one;
  Probe other;
  {
    Bench bench;
    bench.wheel.arm(one, bench.start + milliseconds(3));
    bench.wheel.arm(other, bench.start + milliseconds(3));
  }
  one.disarm();
  CHECK_FALSE(one.armed());
  CHECK(other.fired == 0);
}

TEST_CASE("timer wheel: says how long the thread may sleep") {
  Bench bench;
  constexpr Nanoseconds beat = milliseconds(100);
  CHECK(bench.wheel.until_next(bench.now, milliseconds(50)) == milliseconds(50));
  CHECK(bench.wheel.until_next(bench.now, beat) <= beat);

  Probe probe;
  bench.wheel.arm(probe, bench.start + milliseconds(10));
  CHECK(bench.wheel.until_next(bench.now, beat) == milliseconds(10));
  CHECK(bench.wheel.until_next(bench.now + milliseconds(4), beat) == milliseconds(6));
  CHECK(bench.wheel.until_next(bench.now + hours(1), beat) == Nanoseconds::zero());
  CHECK(bench.wheel.until_next(bench.now, milliseconds(2)) == milliseconds(2));
}

TEST_CASE("timer wheel: sleeping as long as it says never misses a moment, whatever the level") {
  for (int64_t ticks : {1, 63, 64, 65, 100, 4095, 4096, 4097, 70'000, 300'000}) {
    Bench bench;
    bench.advance_by(milliseconds(37));
    Probe probe;
    MonotonicTime due = bench.now + milliseconds(ticks);
    bench.wheel.arm(probe, due);
    int turns = 0;
    while (probe.fired == 0) {
      Nanoseconds sleep = bench.wheel.until_next(bench.now, hours(1));
      REQUIRE(bench.now + sleep <= due);
      REQUIRE(++turns < 10'000);
      bench.advance_by(sleep);
    }
    CHECK(bench.now == due);
  }
}

TEST_CASE("timer wheel: agrees with a sorted map over a long random run") {
  std::mt19937_64 random(20240607);
  auto up_to = [&](uint64_t limit) { return random() % limit; };
  for (int round = 0; round < 2; ++round) {
    Bench bench;
    constexpr size_t count = 200;
    std::vector<std::unique_ptr<Probe>> probes;
    std::vector<int> expected(count, 0);
    std::multimap<int64_t, size_t> model;  // tick at which it is due -> probe
    int64_t tick = 0;
    for (size_t i = 0; i < count; ++i) probes.push_back(std::make_unique<Probe>());
    auto forget = [&](size_t i) { std::erase_if(model, [&](const auto& entry) { return entry.second == i; }); };

    for (int step = 0; step < 10'000; ++step) {
      size_t i = up_to(count);
      switch (up_to(4)) {
        case 0: {
          int64_t range = 1ll << up_to(26);
          int64_t in_ns = static_cast<int64_t>(up_to(static_cast<uint64_t>(range))) * 1'000'000 +
                          static_cast<int64_t>(up_to(1'000'000));
          MonotonicTime due = bench.now + Nanoseconds(in_ns);
          bench.wheel.arm(*probes[i], due);
          forget(i);
          int64_t exact = ((due - bench.start).count() + 999'999) / 1'000'000;
          model.emplace(std::max(exact, tick + 1), i);
          break;
        }
        case 1:
          probes[i]->disarm();
          forget(i);
          break;
        default: {
          uint64_t scale = 1ull << up_to(up_to(16) == 0 ? 24 : 12);
          bench.advance_by(Nanoseconds(static_cast<int64_t>(up_to(scale * 1'000'000 + 1))));
          tick = (bench.now - bench.start).count() / 1'000'000;
          for (auto entry = model.begin(); entry != model.end() && entry->first <= tick; entry = model.erase(entry))
            ++expected[entry->second];
        }
      }
      bool armed_as_expected =
          probes[i]->armed() == std::ranges::any_of(model, [&](const auto& entry) { return entry.second == i; });
      REQUIRE(armed_as_expected);
    }
    for (size_t i = 0; i < count; ++i) REQUIRE(probes[i]->fired == expected[i]);
  }
}
