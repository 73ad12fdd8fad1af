#include "agent/admin/health.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar::admin;
using nlohmann::json;

namespace {

const HealthIdentity kWho{"1.2.3", "gateway-x"};
const FailsafeReport kFailsafe{"protecting", "2024-05-15T12:00:00.000Z", "start", {}};

void check_identity(const json& body) {
  CHECK(body["version"] == "1.2.3");
  CHECK(body["instance_id"] == "gateway-x");
  CHECK(body["failsafe"]["state"] == "protecting");
  CHECK(body["flows_loaded"] == 2);
  CHECK(body["files_skipped"] == json::parse(R"([{"file":"flows/a.yaml","line":3,"column":7,"text":"bad"}])"));
}

Readiness a_state() {
  return {.serving = true, .ready = true, .flows_loaded = 2, .files_skipped = {{"flows/a.yaml", 3, 7, "bad"}}};
}

}  // namespace

TEST_CASE("healthcheck: the data path decides, degraded included") {
  Readiness state = a_state();
  state.degraded = {"the hook is not attached"};
  CHECK(healthcheck(state).status == 200);
  CHECK(healthcheck(state).body == "proxy is up");
  state.serving = false;
  CHECK(healthcheck(state).status == 503);
  CHECK(healthcheck(state).body != "proxy is up");
}

TEST_CASE("healthz: ok, degraded with reasons, failing with reasons") {
  Readiness state = a_state();
  HttpResponse answer = healthz(state, kFailsafe, kWho);
  json body = json::parse(answer.body);
  CHECK(answer.status == 200);
  CHECK(body["status"] == "ok");
  CHECK_FALSE(body.contains("reasons"));
  check_identity(body);

  state.degraded = {"the hook is not attached"};
  answer = healthz(state, kFailsafe, kWho);
  body = json::parse(answer.body);
  CHECK(answer.status == 200);
  CHECK(body["status"] == "degraded");
  CHECK(body["reasons"] == json::parse(R"(["the hook is not attached"])"));

  state.serving = false;
  state.reasons = {"no worker is alive"};
  answer = healthz(state, kFailsafe, kWho);
  body = json::parse(answer.body);
  CHECK(answer.status == 503);
  CHECK(body["status"] == "failing");
  CHECK(body["reasons"] == json::parse(R"(["no worker is alive"])"));
  check_identity(body);
}

TEST_CASE("readyz: ready, or not with reasons") {
  Readiness state = a_state();
  HttpResponse answer = readyz(state, kFailsafe, kWho);
  json body = json::parse(answer.body);
  CHECK(answer.status == 200);
  CHECK(body["ready"] == true);
  check_identity(body);

  state.ready = false;
  state.reasons = {"shutting down"};
  answer = readyz(state, kFailsafe, kWho);
  body = json::parse(answer.body);
  CHECK(answer.status == 503);
  CHECK(body["ready"] == false);
  CHECK(body["reasons"] == json::parse(R"(["shutting down"])"));
  check_identity(body);
}

TEST_CASE("failsafe report: survives the way over the channel, and lacks nothing when members are missing") {
  const FailsafeReport report{
      "bypass", "2024-05-15T12:00:00.000Z", "heartbeat_late", {{"protecting", "bypass", "heartbeat_late", 3}}};
  CHECK(FailsafeReport::from_json(report.to_json()).to_json() == report.to_json());
  CHECK(FailsafeReport::from_json(json::object()).state == "detached");
}
