#include "flowengine/spec/host_pattern.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("host pattern: an exact host is itself, in any case") {
  auto pattern = HostPattern::parse("API.example.com").value();
  CHECK(pattern.exact());
  CHECK(pattern.text() == "api.example.com");
  for (auto host : {"api.example.com", "Api.Example.Com", "api.example.com."}) CHECK(pattern.matches(host));
  for (auto host : {"", "example.com", "xapi.example.com", "x.api.example.com", "api.example.com.x", "api-example.com"})
    CHECK_FALSE(pattern.matches(host));
}

TEST_CASE("host pattern: a wildcard covers one or more labels in front, not none") {
  auto pattern = HostPattern::parse("*.example.com").value();
  CHECK_FALSE(pattern.exact());
  CHECK(pattern.text() == "*.example.com");
  for (auto host : {"a.example.com", "a.b.EXAMPLE.com", "a.example.com."}) CHECK(pattern.matches(host));
  for (auto host : {"example.com", ".example.com", "xexample.com", "a.example.org", ""})
    CHECK_FALSE(pattern.matches(host));
}

TEST_CASE("host pattern: what is neither is refused") {
  for (auto text : {"", "*", "*.", "a.*", "a*b.com", "a.com:80", "https://a.com", "a b", "*.[::1]", "**.a.com"})
    CHECK_FALSE(HostPattern::parse(text));
  CHECK(HostPattern::parse("[2001:db8::1]")->matches("2001:db8::1"));
}
