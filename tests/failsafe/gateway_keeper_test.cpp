#include "agent/failsafe/gateway_keeper.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <map>

using namespace lunar;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

GatewayCommand stand_in(std::vector<std::string> modes) {
  modes.insert(modes.begin(), "gateway_stand_in");
  return {.executable = GATEWAY_STAND_IN, .arguments = std::move(modes), .identity = {}, .open_files = 0};
}

struct Bench {
  EventLoop loop = std::move(EventLoop::create().value());
  int prepared = 0, served = 0, lost = 0, gave_up = 0;
  std::vector<json> messages;
  std::optional<Result<>> replaced;
  GatewayKeeper keeper;

  explicit Bench(const char* mode, KeeperLimits limits = {})
      : keeper(loop, stand_in({mode}), limits,
               {.prepare = [this]() -> Result<GatewayKeeper::StartKit> {
                  ++prepared;
                  return GatewayKeeper::StartKit{.message = {{"type", "start"}, {"attempt", prepared}}, .fds = {}};
                },
                .serving = [this] { ++served; },
                .lost = [this](const std::string&) { ++lost; },
                .give_up_queue = [this] { ++gave_up; },
                .message = [this](ChannelMessage m) { messages.push_back(std::move(m.body)); }}) {}

  void until(const std::function<bool()>& holds) {
    const MonotonicTime end = monotonic_now() + 10s;
    while (!holds() && monotonic_now() < end) loop.run_once(50ms);
    REQUIRE(holds());
  }
  void start() {
    keeper.start();
    until([this] { return served == 1; });
  }
  void stop(Nanoseconds grace = 1s) {
    bool stopped = false;
    keeper.stop(grace, [&] { stopped = true; });
    until([&] { return stopped; });
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
  }
  void replace() {
    keeper.replace([this](Result<> result) { replaced = std::move(result); });
  }
};

}  // namespace

TEST_CASE("keeper: starts a gateway, and stops it by draining, with no child left") {
  Bench bench("good");
  bench.start();
  CHECK(bench.keeper.serving());
  bench.stop();
  CHECK_FALSE(bench.keeper.serving());
  CHECK(bench.lost == 0);
  CHECK(bench.keeper.deaths() == 0);
}

TEST_CASE("keeper: a killed gateway is started again at once, and the loss is told first") {
  Bench bench("good", {.back_within = 30s, .backoff_first = 20s, .backoff_most = 20s});
  bench.start();
  const pid_t first = *bench.keeper.pid();
  const MonotonicTime killed = monotonic_now();
  REQUIRE(::kill(first, SIGKILL) == 0);
  bench.until([&] { return bench.lost == 1; });
  CHECK_FALSE(bench.keeper.serving());
  bench.until([&] { return bench.served == 2; });
  CHECK(monotonic_now() - killed < 5s);  // without any backoff
  CHECK(*bench.keeper.pid() != first);
  CHECK(bench.gave_up == 0);
  bench.stop();
}

TEST_CASE("keeper: one that dies again and again is started ever less often") {
  Bench bench("crash", {.backoff_first = 20ms, .backoff_most = 80ms});
  const MonotonicTime begun = monotonic_now();
  bench.keeper.start();
  bench.until([&] { return bench.prepared == 7; });
  CHECK(monotonic_now() - begun >= 20ms + 40ms + 80ms + 80ms + 80ms);
  CHECK(bench.served == 0);
  CHECK(bench.lost == 0);  // nothing was there to be lost
  bench.stop();
  CHECK(bench.keeper.deaths() >= 6);
}

TEST_CASE("backoff: the first wait is none, then it doubles to its limit, until it is reset") {
  Backoff backoff(100ms, 500ms);
  for (const auto wait : {0ms, 100ms, 200ms, 400ms, 500ms, 500ms}) CHECK(backoff.next() == wait);
  backoff.reset();
  CHECK(backoff.next() == 0ms);
}

TEST_CASE("keeper: not back in time, the queue is given up once and the next process gets new listeners") {
  Bench bench("once", {.back_within = 100ms});
  bench.start();
  ::kill(*bench.keeper.pid(), SIGKILL);
  bench.until([&] { return bench.lost == 1; });
  const MonotonicTime lost = monotonic_now();
  bench.until([&] { return bench.gave_up == 1; });
  CHECK(monotonic_now() - lost >= 90ms);
  CHECK(bench.prepared == 2);  // it runs, but is not ready
  bench.until([&] { return bench.prepared == 3; });
  CHECK(bench.gave_up == 1);
  bench.stop();
}

TEST_CASE("keeper: one that never gets ready is killed and started again") {
  Bench bench("mute", {.start_within = 50ms, .backoff_first = 10ms});
  bench.keeper.start();
  bench.until([&] { return bench.prepared == 3; });
  CHECK(bench.served == 0);
  bench.stop();
}

TEST_CASE("keeper: a replacement takes over when it is ready; the old one hands over and drains") {
  Bench bench("good");
  bench.start();
  const pid_t first = *bench.keeper.pid();
  bench.replace();
  CHECK(*bench.keeper.pid() == first);
  bench.until([&] { return bench.replaced.has_value(); });
  CHECK(bench.replaced->has_value());
  CHECK(*bench.keeper.pid() != first);
  CHECK(bench.keeper.serving());
  bench.until([&] { return bench.keeper.draining() == 0 && !bench.messages.empty(); });
  CHECK(bench.messages[0] == json{{"type", "adopted"}, {"fds", 1}});
  CHECK(bench.lost == 0);
  CHECK(bench.keeper.deaths() == 0);
  bench.stop();
}

TEST_CASE("keeper: a second replacement is refused while one is under way, and before anything serves") {
  Bench bench("good");
  bench.replace();
  REQUIRE(bench.replaced);
  CHECK(bench.replaced->error().os_error == EBUSY);
  bench.start();
  bench.replaced.reset();
  bench.replace();
  CHECK_FALSE(bench.replaced);
  std::optional<Result<>> second;
  bench.keeper.replace([&](Result<> result) { second = std::move(result); });
  REQUIRE(second);
  CHECK(second->error().os_error == EBUSY);
  bench.until([&] { return bench.replaced.has_value(); });
  CHECK(bench.replaced->has_value());
  bench.stop();
}

TEST_CASE("keeper: a replacement that fails leaves the old gateway serving") {
  Bench bench("once", {.start_within = 100ms});
  bench.start();
  const pid_t first = *bench.keeper.pid();
  bench.replace();
  bench.until([&] { return bench.replaced.has_value(); });
  CHECK_FALSE(bench.replaced->has_value());
  CHECK(bench.keeper.serving());
  CHECK(*bench.keeper.pid() == first);
  CHECK(bench.lost == 0);
  bench.stop();
}

TEST_CASE("keeper: the old gateway may die while its replacement starts") {
  Bench bench("good");
  bench.start();
  bench.replace();
  REQUIRE(::kill(*bench.keeper.pid(), SIGKILL) == 0);
  bench.until([&] { return bench.replaced.has_value() && bench.keeper.serving(); });
  CHECK(bench.served == 2);
  bench.stop();
}

TEST_CASE("keeper: a gateway that does not drain is killed after its grace, not before") {
  Bench bench("stubborn", {.leave_within = 50ms});
  bench.start();
  const MonotonicTime asked = monotonic_now();
  bench.stop(100ms);
  CHECK(monotonic_now() - asked >= 150ms);
}

TEST_CASE("keeper: a second stop shortens the grace") {
  Bench bench("stubborn", {.leave_within = 50ms});
  bench.start();
  bool stopped = false;
  bench.keeper.stop(1h, [&] { stopped = true; });
  bench.loop.run_once(10ms);
  CHECK_FALSE(stopped);
  bench.stop(0s);
}
