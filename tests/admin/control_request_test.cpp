#include "agent/admin/control_request.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar::admin;

TEST_CASE("attach request: reads a target or a pid, with its flags") {
  const auto unit = attach_request_from(R"({"target":"shop.service","netns":true,"reset_existing":true})");
  REQUIRE(unit);
  CHECK(unit->target == "shop.service");
  CHECK(unit->netns);
  CHECK(unit->reset_existing);
  CHECK_FALSE(unit->transient);
  CHECK_FALSE(unit->pid);
  const auto process = attach_request_from(R"({"pid":42,"transient":true})");
  REQUIRE(process);
  CHECK(process->pid == 42);
  CHECK(process->transient);
}

TEST_CASE("attach request: refuses everything else, with the reason") {
  for (const char* body :
       {"", "{", "[]", "null", "\"x\"", "{}", R"({"target":""})", R"({"target":7})", R"({"target":"a","pid":1})",
        R"({"pid":0})", R"({"pid":-1})", R"({"pid":1.5})", R"({"pid":"1"})", R"({"pid":2147483648})",
        R"({"target":"a","netns":1})", R"({"target":"a","colour":"red"})"}) {
    CAPTURE(body);
    const auto refused = attach_request_from(body);
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().text.empty());
  }
  CHECK_FALSE(attach_request_from("{\"target\":\"" + std::string(70'000, 'a') + "\"}"));
  CHECK(attach_request_from(R"({"target":"a","colour":1})").error().text == "unknown member `colour`");
}

TEST_CASE("failsafe request: knows two modes") {
  CHECK(failsafe_mode_from(R"({"mode":"bypass"})") == FailsafeMode::bypass);
  CHECK(failsafe_mode_from(R"({"mode":"auto"})") == FailsafeMode::automatic);
  for (const char* body : {"", "[]", "{}", R"({"mode":"off"})", R"({"mode":1})"}) CHECK_FALSE(failsafe_mode_from(body));
}
