#include "agent/failsafe/guard.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

constexpr GuardLimits kLimits{.enter_after = 3, .exit_after = 10s};

// A guard of two workers with a clock that moves only when a test says so.
struct Bench {
  MonotonicTime now{1000s};
  Guard guard{kLimits, 2, now};
  GuardFacts facts{.capturing = true, .stopping = false, .gateway_running = true, .alive = 0b11};
  std::vector<std::string> log;

  void note(const std::optional<GuardTransition>& step) {
    if (!step) return;
    log.push_back(std::string(name(step->from)) + ">" + std::string(name(step->to)) + ":" +
                  std::string(name(step->reason)));
  }
  void observe() { note(guard.observe(facts, now)); }
  void with(const std::function<void(GuardFacts&)>& change) {
    change(facts);
    observe();
  }
  void after(Nanoseconds passed) {
    now += passed;
    observe();
  }
  void probe(size_t worker, bool answered) { note(guard.probe(worker, answered, now)); }
  void fail_probes(int count) {
    for (int i = 0; i < count; ++i) probe(0, false);
  }
  void bypass(bool on) { note(guard.set_operator_bypass(on, now)); }
  std::string last() const { return log.empty() ? "" : log.back(); }
};

Bench protecting() {
  Bench bench;
  bench.observe();
  bench.probe(0, true);
  REQUIRE(bench.guard.state() == GuardState::protecting);
  bench.log.clear();
  return bench;
}

Bench in_cooldown() {
  Bench bench = protecting();
  bench.fail_probes(3);
  REQUIRE(bench.guard.state() == GuardState::cooldown);
  bench.log.clear();
  return bench;
}

}  // namespace

TEST_CASE("guard: redirects only after the first answered probe of an attached hook") {
  Bench bench;
  CHECK(bench.guard.state() == GuardState::detached);
  CHECK(bench.guard.reason() == GuardReason::start);
  bench.observe();
  CHECK_FALSE(bench.guard.decision().redirect);
  bench.probe(0, false);
  CHECK_FALSE(bench.guard.decision().redirect);
  bench.probe(0, true);
  CHECK(bench.guard.decision() == GuardDecision{.redirect = true, .attach = true});
  CHECK(bench.last() == "detached>protecting:probe_answered");
}

TEST_CASE("guard: stays detached while any precondition is missing, and leaves when it comes") {
  const std::vector<std::pair<const char*, std::function<void(GuardFacts&)>>> missing{
      {"hook", [](GuardFacts& f) { f.capturing = false; }},
      {"gateway", [](GuardFacts& f) { f.gateway_running = false; }},
      {"heartbeat", [](GuardFacts& f) { f.alive = 0; }},
      {"running on", [](GuardFacts& f) { f.stopping = true; }},
  };
  for (const auto& [what, change] : missing) {
    CAPTURE(what);
    Bench bench;
    const GuardFacts good = bench.facts;
    bench.with(change);
    bench.probe(0, true);
    bench.after(100s);
    CHECK(bench.guard.state() == GuardState::detached);
    CHECK_FALSE(bench.guard.decision().redirect);
    bench.with([&](GuardFacts& f) { f = good; });
    bench.probe(0, true);
    CHECK(bench.guard.state() == GuardState::protecting);
  }
}

TEST_CASE("guard: a late heartbeat of all workers is bypass, of one worker is not") {
  Bench bench = protecting();
  bench.with([](GuardFacts& f) { f.alive = 0b10; });
  CHECK(bench.guard.state() == GuardState::protecting);
  bench.with([](GuardFacts& f) { f.alive = 0; });
  CHECK(bench.last() == "protecting>bypass:heartbeat_late");
  CHECK(bench.guard.decision() == GuardDecision{.redirect = false, .attach = true});
  bench.after(100s);
  CHECK(bench.guard.state() == GuardState::bypass);
  bench.with([](GuardFacts& f) { f.alive = 0b01; });
  CHECK(bench.last() == "bypass>protecting:healthy");
}

TEST_CASE("guard: the death of the gateway is bypass at once, though its last heartbeat is still young") {
  Bench bench = protecting();
  bench.with([](GuardFacts& f) { f.gateway_running = false; });
  CHECK(bench.last() == "protecting>bypass:gateway_died");
  CHECK_FALSE(bench.guard.decision().redirect);
  bench.with([](GuardFacts& f) { f.gateway_running = true; });
  CHECK(bench.last() == "bypass>protecting:healthy");
}

TEST_CASE("guard: enter_after consecutive failed probes are cooldown, one fewer are not") {
  Bench bench = protecting();
  bench.fail_probes(2);
  CHECK(bench.guard.state() == GuardState::protecting);
  CHECK(bench.guard.failed_probes() == 2);
  bench.probe(0, true);
  CHECK(bench.guard.failed_probes() == 0);
  bench.fail_probes(2);
  CHECK(bench.guard.state() == GuardState::protecting);
  bench.probe(0, false);
  CHECK(bench.last() == "protecting>cooldown:probes_failed");
  CHECK(bench.guard.decision() == GuardDecision{.redirect = false, .attach = false});
}

TEST_CASE("guard: an answer of one worker does not forgive another one's failures") {
  Bench bench = protecting();
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.guard.state() == GuardState::protecting);
    bench.probe(1, true);
    bench.probe(0, false);
  }
  CHECK(bench.guard.state() == GuardState::cooldown);
}

TEST_CASE("guard: the failed probes of a worker that the hook skips already do not end protection") {
  Bench bench = protecting();
  bench.with([](GuardFacts& f) { f.alive = 0b10; });
  bench.fail_probes(50);
  CHECK(bench.guard.state() == GuardState::protecting);
  bench.with([](GuardFacts& f) { f.alive = 0b11; });
  CHECK(bench.guard.state() == GuardState::protecting);
  CHECK(bench.guard.failed_probes() == 0);
}

TEST_CASE("guard: bypass turns into cooldown when probes fail, and not before") {
  Bench bench = protecting();
  bench.with([](GuardFacts& f) { f.alive = 0; });
  bench.fail_probes(2);
  CHECK(bench.guard.state() == GuardState::bypass);
  bench.fail_probes(1);
  CHECK(bench.last() == "bypass>cooldown:probes_failed");
}

TEST_CASE("guard: cooldown ends after exit_after without a failed probe; each failure restarts the time") {
  Bench bench = in_cooldown();
  bench.probe(0, true);
  bench.after(10s - 1ns);
  CHECK(bench.guard.state() == GuardState::cooldown);
  bench.probe(0, false);
  bench.probe(0, true);
  bench.after(1ns);
  CHECK(bench.guard.state() == GuardState::cooldown);
  bench.after(10s - 2ns);
  CHECK(bench.guard.state() == GuardState::cooldown);
  bench.after(1ns);
  CHECK(bench.last() == "cooldown>protecting:healthy");
  CHECK(bench.guard.decision() == GuardDecision{.redirect = true, .attach = true});
  CHECK(bench.guard.failed_probes() == 0);
}

TEST_CASE("guard: cooldown does not end by silence; health has to be proved") {
  Bench bench = in_cooldown();
  bench.after(100s);
  CHECK(bench.guard.state() == GuardState::cooldown);
  bench.with([](GuardFacts& f) { f.alive = 0; });
  bench.probe(0, true);
  CHECK(bench.guard.state() == GuardState::cooldown);
  bench.with([](GuardFacts& f) { f.alive = 0b11; });
  CHECK(bench.guard.state() == GuardState::protecting);
}

TEST_CASE("guard: the operator's bypass holds until the operator resumes") {
  Bench bench = protecting();
  bench.bypass(true);
  CHECK(bench.last() == "protecting>bypass:operator_bypass");
  bench.probe(0, true);
  bench.fail_probes(50);
  bench.probe(0, true);
  bench.after(1000s);
  CHECK(bench.guard.state() == GuardState::bypass);
  bench.bypass(false);
  CHECK(bench.last() == "bypass>protecting:operator_resume");
}

TEST_CASE("guard: resuming an unhealthy gateway leads to cooldown") {
  Bench bench = protecting();
  bench.bypass(true);
  bench.fail_probes(3);
  bench.bypass(false);
  CHECK(bench.last() == "bypass>cooldown:probes_failed");
}

TEST_CASE("guard: the operator can end cooldown early") {
  Bench bench = in_cooldown();
  bench.bypass(true);
  CHECK(bench.last() == "cooldown>bypass:operator_bypass");
  bench.probe(0, true);
  bench.bypass(false);
  CHECK(bench.last() == "bypass>protecting:operator_resume");
}

TEST_CASE("guard: an operator bypass while detached keeps it from redirecting") {
  Bench bench;
  bench.observe();
  bench.bypass(true);
  bench.probe(0, true);
  CHECK(bench.guard.state() == GuardState::detached);
  bench.bypass(false);
  CHECK(bench.guard.state() == GuardState::protecting);
}

TEST_CASE("guard: every state is left for detached at shutdown and when the hook is gone") {
  for (const bool shutdown : {true, false}) {
    const std::string reason = shutdown ? "shutdown" : "hook_gone";
    const auto end = [shutdown](GuardFacts& f) { (shutdown ? f.stopping : f.capturing) = shutdown; };
    Bench from_protecting = protecting();
    from_protecting.with(end);
    CHECK(from_protecting.last() == "protecting>detached:" + reason);
    Bench from_bypass = protecting();
    from_bypass.bypass(true);
    from_bypass.with(end);
    CHECK(from_bypass.last() == "bypass>detached:" + reason);
    Bench from_cooldown = in_cooldown();
    from_cooldown.with(end);
    CHECK(from_cooldown.last() == "cooldown>detached:" + reason);
    CHECK(from_cooldown.guard.decision() == GuardDecision{.redirect = false, .attach = false});
  }
}

TEST_CASE("guard: a transition tells when it happened and how many probes had failed") {
  Bench bench = protecting();
  bench.after(5s);
  bench.fail_probes(2);
  const auto step = bench.guard.probe(0, false, bench.now);
  REQUIRE(step);
  CHECK(step->failed_probes == 3);
  CHECK(bench.guard.since() == bench.now);
  CHECK(bench.guard.reason() == GuardReason::probes_failed);
}

TEST_CASE("guard: ignores a probe of a worker that does not exist") {
  Bench bench = protecting();
  for (int i = 0; i < 10; ++i) bench.probe(2, false);
  CHECK(bench.guard.failed_probes() == 0);
  CHECK(bench.guard.state() == GuardState::protecting);
}
