#include "agent/admin/api_key.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar::admin;

TEST_CASE("api key: only the whole key after Bearer matches") {
  CHECK(bearer_matches("Bearer s3cret", "s3cret"));
  CHECK(bearer_matches("bearer s3cret", "s3cret"));
  for (const char* wrong : {"", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets", "Bearer S3cret",
                            "Basic s3cret", "Bearer  s3cret", "Bearer s3cret "}) {
    CAPTURE(wrong);
    CHECK_FALSE(bearer_matches(wrong, "s3cret"));
  }
}

TEST_CASE("api key: without a configured key nothing matches") {
  CHECK_FALSE(bearer_matches("Bearer ", ""));
  CHECK_FALSE(bearer_matches("Bearer x", ""));
  HttpRequest request;
  request.authorization = "Bearer x";
  const auto refusal = require_key("")(request);
  REQUIRE(refusal);
  CHECK(refusal->status == 401);
  CHECK(refusal->body.find("admin.api_key_file") != std::string::npos);
}

TEST_CASE("api key: the refusal names the scheme") {
  const auto gate = require_key("key");
  HttpRequest request;
  const auto refusal = gate(request);
  REQUIRE(refusal);
  REQUIRE(refusal->fields.size() == 1);
  CHECK(refusal->fields[0].first == "WWW-Authenticate");
  CHECK(refusal->fields[0].second == "Bearer");
  request.authorization = "Bearer key";
  CHECK_FALSE(gate(request));
}
