// The decision of the hook, compiled for user space: every step and every reason, without a kernel.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bpf/redirect_policy.h"

namespace {

constexpr uint64_t now = 1'000'000'000'000;
constexpr uint64_t deadline = 250'000'000;

struct Worker {
  uint64_t beat_ns = now;
  uint32_t busy = 0;
  lunar_reason listener = LUNAR_REDIRECTED;
};

// The answers, and which questions were asked in which order.
struct World {
  bool own_socket = false;
  uint32_t verdict = LUNAR_CAPTURE;
  lunar_range bypass{};
  lunar_range allowed{};
  bool breaker = false;
  bool unreachable = false;
  std::vector<Worker> workers{{}, {}};
  bool memory = true;
  std::string asked;
};

World& world_of(lunar_request* rq) { return *static_cast<World*>(rq->ctx); }

}  // namespace

static inline uint32_t ask_own_socket(lunar_request* rq) {
  world_of(rq).asked += "own ";
  return world_of(rq).own_socket ? 1 : 0;
}
static inline uint32_t ask_verdict(lunar_request* rq, const lunar_settings*) {
  world_of(rq).asked += "verdict ";
  return world_of(rq).verdict;
}
static inline lunar_range ask_bypass(lunar_request* rq) {
  world_of(rq).asked += "bypass ";
  return world_of(rq).bypass;
}
static inline lunar_range ask_allowed(lunar_request* rq) {
  world_of(rq).asked += "allowed ";
  return world_of(rq).allowed;
}
static inline uint32_t ask_breaker(lunar_request* rq) {
  world_of(rq).asked += "breaker ";
  return world_of(rq).breaker ? 1 : 0;
}
static inline uint32_t ask_unreachable(lunar_request* rq) {
  world_of(rq).asked += "unreachable ";
  return world_of(rq).unreachable ? 1 : 0;
}
static inline __u64 ask_live_workers(lunar_request* rq, const lunar_settings* set, __u64* idle) {
  World& world = world_of(rq);
  world.asked += "workers ";
  uint64_t live = 0;
  for (size_t w = 0; w < world.workers.size() && w < set->workers; ++w) {
    const uint32_t judged = lunar_judge_beat(world.workers[w].beat_ns, world.workers[w].busy, now, set->deadline_ns);
    live |= uint64_t{judged & LUNAR_LIVE} << w;
    *idle |= uint64_t{(judged & LUNAR_IDLE) >> 1U} << w;
  }
  return live;
}
static inline lunar_reason ask_listener(lunar_request* rq, const lunar_settings*) {
  world_of(rq).asked += "listener" + std::to_string(rq->worker) + " ";
  return world_of(rq).workers[rq->worker].listener;
}
static inline uint32_t remember(lunar_request* rq) {
  world_of(rq).asked += "remember ";
  return world_of(rq).memory ? 1 : 0;
}

namespace {

struct Case {
  World world;
  lunar_settings set{};
  lunar_request rq{};

  Case() {
    set.armed = 1;
    set.workers = 2;
    set.flags = LUNAR_ROUTE_V4 | LUNAR_ROUTE_V6;
    set.deadline_ns = deadline;
    for (uint16_t w = 0; w < 2; ++w) {
      set.port4[w] = static_cast<uint16_t>(9000 + w);
      set.port6[w] = static_cast<uint16_t>(9100 + w);
    }
    rq.port = 443;
    rq.v4 = 1;
    rq.tcp = 1;
  }
  std::string decide() {
    rq.ctx = &world;
    world.asked.clear();
    return lunar_reason_name(lunar_decide(&rq, &set));
  }
};

// A change to the case in which everything speaks for redirecting, and the reason that must come of it.
struct Row {
  const char* reason;
  void (*change)(Case&);
  const char* asked;
};

const std::array rows{
    Row{"redirected", [](Case&) {}, "own verdict bypass breaker unreachable workers listener0 remember "},
    Row{"not_tcp", [](Case& c) { c.rq.tcp = 0; }, ""},
    Row{"disarmed", [](Case& c) { c.set.armed = 0; }, ""},
    Row{"no_port", [](Case& c) { c.set.workers = 0; }, ""},
    Row{"no_port", [](Case& c) { c.rq.port = 0; }, ""},
    Row{"device_bound", [](Case& c) { c.rq.device = 3; }, ""},
    Row{"own_socket", [](Case& c) { c.world.own_socket = true; }, "own "},
    Row{"not_captured", [](Case& c) { c.world.verdict = 0; }, "own verdict "},
    Row{"policy_bypass", [](Case& c) { c.world.verdict = LUNAR_BYPASS; }, "own verdict "},
    Row{"bypass_address", [](Case& c) { c.world.bypass = {LUNAR_RANGE_NEVER, 8}; }, "own verdict bypass "},
    Row{"bypass_address", [](Case& c) { c.world.bypass = {LUNAR_RANGE_LOCAL, 8}; }, "own verdict bypass "},
    Row{"bypass_address", [](Case& c) { c.world.bypass = {LUNAR_RANGE_NEAR, 8}; }, "own verdict bypass "},
    Row{"no_default_route", [](Case& c) { c.set.flags = LUNAR_ROUTE_V6; }, "own verdict bypass "},
    Row{"breaker", [](Case& c) { c.world.breaker = true; }, "own verdict bypass breaker "},
    Row{"unreachable", [](Case& c) { c.world.unreachable = true; }, "own verdict bypass breaker unreachable "},
    Row{"stale_heartbeat", [](Case& c) { c.world.workers = {{.beat_ns = 0}, {.beat_ns = now - deadline - 1}}; },
        "own verdict bypass breaker unreachable workers "},
    Row{"all_busy", [](Case& c) { c.world.workers = {{.busy = 1}, {.beat_ns = 0}}; },
        "own verdict bypass breaker unreachable workers "},
    Row{"no_listener",
        [](Case& c) { c.world.workers = {{.listener = LUNAR_NO_LISTENER}, {.listener = LUNAR_NO_LISTENER}}; },
        "own verdict bypass breaker unreachable workers listener0 listener1 "},
    Row{"foreign_listener", [](Case& c) { c.world.workers = {{.listener = LUNAR_FOREIGN_LISTENER}, {.beat_ns = 0}}; },
        "own verdict bypass breaker unreachable workers listener0 "},
    Row{"backlog", [](Case& c) { c.world.workers = {{.listener = LUNAR_BACKLOG}, {.listener = LUNAR_BACKLOG}}; },
        "own verdict bypass breaker unreachable workers listener0 listener1 "},
    Row{"no_memory", [](Case& c) { c.world.memory = false; },
        "own verdict bypass breaker unreachable workers listener0 remember "},
};

}  // namespace

TEST_CASE("redirect policy: each doubt leads to its reason, and nothing is asked after it") {
  for (const Row& row : rows) {
    Case c;
    row.change(c);
    CAPTURE(row.reason);
    CHECK(c.decide() == row.reason);
    CHECK(c.world.asked == row.asked);
  }
}

TEST_CASE("redirect policy: every reason of a connect has a row") {
  for (unsigned reason = LUNAR_REDIRECTED; reason <= LUNAR_NO_MEMORY; ++reason) {
    const std::string name = lunar_reason_name(reason);
    CAPTURE(name);
    CHECK(std::ranges::any_of(rows, [&](const Row& row) { return row.reason == name; }));
  }
  CHECK(std::string(lunar_reason_name(LUNAR_REASONS)) == "unknown");
}

TEST_CASE("redirect policy: each family needs its own default route and port") {
  Case c;
  c.set.flags = LUNAR_ROUTE_V4;
  CHECK(c.decide() == "redirected");
  c.rq.v4 = 0;
  CHECK(c.decide() == "no_default_route");
  c.set.flags = LUNAR_ROUTE_V6;
  CHECK(c.decide() == "redirected");
  CHECK(c.rq.worker_port == 9100);
  c.set.port6[0] = c.set.port6[1] = 0;
  CHECK(c.decide() == "no_port");
}

TEST_CASE("redirect policy: the allow list lifts private ranges, and local ones only when it names them") {
  Case c;
  c.set.flags = LUNAR_HAS_ALLOW;  // and no default route: what is named needs none
  c.world.allowed = {LUNAR_RANGE_ALLOWED, 8};
  CHECK(c.decide() == "redirected");
  c.world.bypass = {LUNAR_RANGE_NEAR, 24};
  CHECK(c.decide() == "redirected");
  c.world.bypass = {LUNAR_RANGE_LOCAL, 32};
  CHECK(c.decide() == "bypass_address");
  c.world.allowed.length = 32;
  CHECK(c.decide() == "redirected");
  c.world.bypass = {LUNAR_RANGE_NEVER, 16};
  CHECK(c.decide() == "bypass_address");
  c.world = {};
  CHECK(c.decide() == "no_default_route");
}

TEST_CASE("redirect policy: include_loopback captures local addresses, never our own listeners") {
  Case c;
  c.set.flags |= LUNAR_INCLUDE_LOOPBACK;
  c.world.bypass = {LUNAR_RANGE_LOCAL, 8};
  CHECK(c.decide() == "redirected");
  c.world.bypass = {LUNAR_RANGE_NEAR, 8};
  CHECK(c.decide() == "bypass_address");
  c.world.bypass = {LUNAR_RANGE_NEVER, 16};
  CHECK(c.decide() == "bypass_address");
}

TEST_CASE("redirect policy: a heartbeat is fresh until the deadline, also one from the future") {
  CHECK(lunar_judge_beat(now, 0, now, deadline) == (LUNAR_LIVE | LUNAR_IDLE));
  CHECK(lunar_judge_beat(now - deadline, 0, now, deadline) == (LUNAR_LIVE | LUNAR_IDLE));
  CHECK(lunar_judge_beat(now - deadline - 1, 0, now, deadline) == 0);
  CHECK(lunar_judge_beat(now + 1'000'000, 0, now, deadline) == (LUNAR_LIVE | LUNAR_IDLE));
  CHECK(lunar_judge_beat(now, 1, now, deadline) == LUNAR_LIVE);
  CHECK(lunar_judge_beat(0, 0, deadline, deadline) == 0);  // never beaten, however young the machine
}

TEST_CASE("redirect policy: connects spread over live workers and over each one's addresses") {
  Case c;
  c.set.workers = 64;
  c.world.workers.assign(64, {});
  c.world.workers[3].beat_ns = 0;
  c.world.workers[7].busy = 1;
  std::array<int, 64> by_worker{};
  std::array<int, 1 + LUNAR_ADDRESSES_PER_WORKER> by_address{};
  c.set.port4[0] = 1;
  for (unsigned w = 0; w < 64; ++w) c.set.port4[w] = static_cast<uint16_t>(9000 + w);
  for (uint32_t random = 0; random < 62 * 4; ++random) {
    c.rq.random = random | (random << 16U);
    REQUIRE(c.decide() == "redirected");
    ++by_worker[c.rq.worker];
    ++by_address.at(c.rq.address);
  }
  for (unsigned w = 0; w < 64; ++w) CHECK(by_worker[w] == (w == 3 || w == 7 ? 0 : 4));
  for (unsigned k = 1; k <= LUNAR_ADDRESSES_PER_WORKER; ++k) CHECK(by_address[k] == 62);
}

TEST_CASE("redirect policy: when one listener has no room, another worker is tried") {
  Case c;
  c.world.workers[0].listener = LUNAR_BACKLOG;
  CHECK(c.decide() == "redirected");
  CHECK(c.rq.worker == 1);
  CHECK(c.rq.worker_port == 9001);
}

TEST_CASE("redirect policy: picks from any set of workers") {
  CHECK(lunar_pick_worker(0, 5) == LUNAR_MAX_WORKERS);
  CHECK(lunar_pick_worker(1ULL << 63U, 5) == 63);
  CHECK(lunar_pick_worker(0b1010, 0) == 1);
  CHECK(lunar_pick_worker(0b1010, 1) == 3);
  CHECK(lunar_pick_worker(0b1010, 2) == 1);
  CHECK(lunar_pick_worker(~0ULL, 63) == 63);
}

TEST_CASE("redirect policy: QUIC is refused only where TCP would be captured, and only when asked") {
  Case c;
  c.rq.tcp = 0;
  const auto refuses = [&c] {
    c.rq.ctx = &c.world;
    return lunar_refuses_quic(&c.rq, &c.set) == 1;
  };
  CHECK_FALSE(refuses());
  c.set.flags |= LUNAR_REFUSE_QUIC;
  CHECK(refuses());
  c.rq.port = 53;
  CHECK_FALSE(refuses());
  c.rq.port = 443;
  c.world.verdict = LUNAR_BYPASS;
  CHECK_FALSE(refuses());
  c.world.verdict = LUNAR_CAPTURE;
  c.world.bypass = {LUNAR_RANGE_NEAR, 8};
  CHECK_FALSE(refuses());
  c.world.bypass = {};
  c.rq.device = 2;
  CHECK_FALSE(refuses());
  c.rq.device = 0;
  c.set.armed = 0;
  CHECK_FALSE(refuses());
}
