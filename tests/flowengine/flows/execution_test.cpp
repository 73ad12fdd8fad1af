#include <doctest/doctest.h>

#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view limiter_flow = R"(
name: DailyAllowance
filter: {url: "api.example.com/*"}
processors:
  Allowance: {processor: Limiter, parameters: [{key: quota_id, value: DailyQuota}]}
  Refuse: {processor: GenerateResponse, parameters: [{key: status, value: 429}, {key: body, value: "allowance spent"}, {key: Retry-After, value: "60"}]}
flow:
  request:
    - {from: {stream: {name: globalStream, at: start}}, to: {processor: {name: Allowance}}}
    - {from: {processor: {name: Allowance, condition: above_limit}}, to: {processor: {name: Refuse}}}
    - {from: {processor: {name: Allowance, condition: below_limit}}, to: {stream: {name: globalStream, at: end}}}
  response:
    - {from: {processor: {name: Refuse}}, to: {stream: {name: globalStream, at: end}}}
    - {from: {stream: {name: globalStream, at: start}}, to: {stream: {name: globalStream, at: end}}}
)";
constexpr std::string_view two_a_minute = R"(
quotas:
  - id: DailyQuota
    filter: {url: "api.example.com/*"}
    strategy: {fixed_window: {max: 2, interval: 1, interval_unit: minute}}
)";

TEST_CASE("execution: a Limiter lets the quota through, then the flow answers; afterwards it lets through again") {
  FlowScene scene;
  scene.flow(std::string(limiter_flow)).quota(std::string(two_a_minute));
  CHECK(scene.findings().empty());
  Simulation run = scene.simulation();
  for (const char* name : {"a", "b"}) {
    run.send(name, call("GET http://api.example.com/v1"));
    REQUIRE(run.at_provider(name));
    run.answer(name, {.status = 200, .body = "fine"});
    CHECK(run.outcomes(name).status == 200);
    CHECK(run.outcomes(name).body == "fine");
  }
  run.send("c", call("GET http://api.example.com/v1"));
  CHECK(run.outcomes("c").done);
  CHECK(run.outcomes("c").sent.empty());
  CHECK(run.outcomes("c").status == 429);
  CHECK(run.outcomes("c").body == "allowance spent");
  CHECK(field(run.outcomes("c").headers, "retry-after") == "60");
  CHECK(field(run.outcomes("c").headers, "x-lunar-generated") == "true");
  run.advance(59s);
  run.send("d", call("GET http://api.example.com/v1"));
  CHECK(run.outcomes("d").status == 429);
  run.advance(1s);
  run.send("e", call("GET http://api.example.com/v1"));
  CHECK(run.at_provider("e"));
}

TEST_CASE("execution: a flow that does not match leaves a request alone") {
  FlowScene scene;
  scene.flow(std::string(limiter_flow)).quota(std::string(two_a_minute));
  Simulation run = scene.simulation();
  run.send("other", call("GET http://other.example.com/"));
  CHECK(run.at_provider("other"));
  CHECK(run.outcomes("other").flows.empty());
}

}  // namespace
}  // namespace lunar
