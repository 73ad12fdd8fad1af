// flows.md §8.5, header_based.
#include "flowengine/quota/reset_time.h"
#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

struct HeaderScene : QuotaScene {
  HeaderScene() : QuotaScene({{{"H", {}, HeaderBased{"x-remaining", "x-reset", "retry-after"}, ""}}}) {}
  // The response to a transaction.
  bool learn(uint64_t transaction, const ToldHeaders& told) {
    return Ledger::learn(binding, 0, TransactionId{transaction}, told, now);
  }
  [[nodiscard]] uint64_t unreadable() const { return ledger.view(now).front().unreadable; }
};

}  // namespace

TEST_CASE("header-based: at first everything is admitted") {
  HeaderScene scene;
  CHECK(scene.admitted(1000) == 1000);
}

TEST_CASE("header-based: each admission lowers what remains, and at 0 it is refused up to the reset") {
  HeaderScene scene;
  CHECK(scene.acquire_as(TransactionId{1}));
  CHECK(scene.learn(1, {"2", "30", {}}));
  CHECK(scene.admitted(5) == 2);
  CHECK(scene.seen("H").limit == 2);
  CHECK(scene.seen("H").used == 2);
  CHECK(scene.acquire().earliest == scene.now.steady + 30s);
  scene.pass(30s - 1ns);
  CHECK_FALSE(scene.acquire());
  scene.pass(1ns);
  CHECK(scene.admitted(100) == 100);
}

TEST_CASE("header-based: requests in flight are taken off what the provider tells") {
  HeaderScene scene;
  for (uint64_t i = 1; i <= 4; ++i) CHECK(scene.acquire_as(TransactionId{i}));
  scene.learn(1, {"5", "30", {}});  // 2, 3 and 4 are under way
  CHECK(scene.seen("H").limit == 2);
  CHECK(Ledger::end_flight(scene.binding, 0, TransactionId{2}));  // without a response
  CHECK_FALSE(Ledger::end_flight(scene.binding, 0, TransactionId{2}));
  scene.learn(3, {"5", "30", {}});  // 4 is
  CHECK(scene.admitted(10) == 4);
  scene.learn(4, {"2", "30", {}});  // four newer ones are
  CHECK_FALSE(scene.acquire());
}

TEST_CASE("header-based: knowledge without a reset ends after 60 s") {
  HeaderScene scene;
  scene.learn(1, {"0", {}, {}});
  CHECK(scene.acquire().earliest == scene.now.steady + 60s);
  scene.pass(60s - 1ns);
  CHECK_FALSE(scene.acquire());
  scene.pass(1ns);
  CHECK(scene.acquire());
}

TEST_CASE("header-based: a reset that was given and is still ahead stands when the next response has none") {
  HeaderScene scene;
  scene.learn(1, {"1", "300", {}});
  scene.pass(100s);
  scene.learn(2, {"0", "gibberish", {}});
  CHECK(scene.unreadable() == 1);
  CHECK(scene.acquire().earliest == scene.now.steady + 200s);
}

TEST_CASE("header-based: retry-after blocks by seconds or date, whatever remains") {
  HeaderScene scene;
  scene.learn(1, {"50", "600", "90"});
  CHECK(scene.acquire().earliest == scene.now.steady + 90s);
  scene.pass(90s - 1ns);
  CHECK_FALSE(scene.acquire());
  scene.pass(1ns);
  CHECK(scene.acquire());
  scene.now.wall = utc_time("2025-06-10T12:00:00Z");
  scene.learn(2, {{}, {}, "Tue, 10 Jun 2025 12:01:30 GMT"});
  scene.pass(90s - 1ns);
  CHECK_FALSE(scene.acquire());
  scene.pass(1ns);
  CHECK(scene.acquire());
}

TEST_CASE("header-based: blocked and used up, the later end counts") {
  HeaderScene scene;
  scene.learn(1, {"0", "10", "20"});
  CHECK(scene.acquire().earliest == scene.now.steady + 20s);
  scene.learn(1, {"0", "30", "20"});
  CHECK(scene.acquire().earliest == scene.now.steady + 30s);
}

TEST_CASE("header-based: unreadable values are ignored and counted") {
  HeaderScene scene;
  CHECK(scene.learn(1, {"3", "60", {}}));
  CHECK_FALSE(scene.learn(2, {"many", "soon", "later"}));
  CHECK(scene.unreadable() == 3);
  CHECK_FALSE(scene.learn(2, {"-1", {}, "-5"}));
  CHECK(scene.unreadable() == 5);
  CHECK_FALSE(scene.learn(3, {}));
  CHECK(scene.unreadable() == 5);
  CHECK(scene.admitted(10) == 3);
}

TEST_CASE("header-based: a reset in the past ends the knowledge at once") {
  HeaderScene scene;
  scene.learn(1, {"0", "2025-06-10T11:00:00Z", {}});
  CHECK(scene.acquire());
}

TEST_CASE("header-based: automatic counting blocks nothing, and what goes out is in flight") {
  HeaderScene scene;
  scene.learn(1, {"1", "60", {}});
  for (uint64_t i = 2; i <= 4; ++i) {
    auto claims = scene.chain(0);
    Ledger::count_automatically(scene.binding, claims, TransactionId{i}, scene.now);
    CHECK(claims.front().counted == (i == 2));
  }
  scene.learn(2, {"9", "60", {}});
  CHECK(scene.seen("H").limit == 7);
}

TEST_CASE("reset time: every form that providers use") {
  Instant now{SteadyTime(1000h), utc_time("2025-06-10T12:00:00Z")};
  auto epoch = std::chrono::floor<std::chrono::seconds>(now.wall).time_since_epoch().count();
  const std::pair<std::string, std::chrono::nanoseconds> cases[] = {{"0", 0s},
                                                                    {"30", 30s},
                                                                    {"0.25", 250ms},
                                                                    {" 7 ", 7s},
                                                                    {"1000000000", 1000000000s},
                                                                    {std::to_string(epoch + 90), 90s},
                                                                    {std::to_string(epoch * 1000 + 90'250), 90'250ms},
                                                                    {"Tue, 10 Jun 2025 12:02:00 GMT", 2min},
                                                                    {"2025-06-10T12:00:00.5Z", 500ms},
                                                                    {"2025-06-10T14:01:00+02:00", 1min},
                                                                    {"6m0s", 6min},
                                                                    {"1h2m3.5s", 1h + 2min + 3500ms},
                                                                    {"250ms", 250ms},
                                                                    {"1d", 24h},
                                                                    {"59.9s", 59900ms},
                                                                    {"20\xc2\xb5s", 20us},
                                                                    {"12ns", 12ns}};
  for (const auto& [text, wait] : cases) {
    auto time = parse_reset_time(text, now);
    CHECK_MESSAGE(time == now.steady + wait, text);
  }
  for (std::string_view text : {"", "-1", "m", "6m0", "6x", "1e9", "soon", "99999999999999999", "9999999d", "6m 0s",
                                "999999999999999", "2400-01-01T00:00:00Z"})
    CHECK_MESSAGE(!parse_reset_time(text, now), text);
}
