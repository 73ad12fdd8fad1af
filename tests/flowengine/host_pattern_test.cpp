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
}

TEST_CASE("host pattern: an IPv6 address is itself in each of its spellings, with brackets or without") {
  for (auto text : {"2001:db8::1", "[2001:db8::1]", "2001:DB8:0:0::1", "[2001:0db8::0001]", "2001:db8::0.0.0.1"}) {
    CAPTURE(text);
    auto pattern = HostPattern::parse(text);
    REQUIRE(pattern);
    CHECK(pattern->exact());
    CHECK(pattern->text() == "2001:db8::1");
    CHECK(*pattern == HostPattern::parse("2001:db8::1"));
    for (auto host : {"2001:db8::1", "2001:DB8:0::1"}) CHECK(pattern->matches(host));
    for (auto host : {"", "2001:db8::", "2001:db8::11", "12001:db8::1", "db8::1", "198.18.0.1"})
      CHECK_FALSE(pattern->matches(host));
    CHECK_FALSE(pattern->matches(std::string_view("2001:db8::1\0x", 13)));
  }
  for (auto text : {"2001:db8::1]", "[2001:db8::1", "[2001:db8::1]:443", "2001:db8::1]:443", "2001:db8::g",
                    "*.2001:db8::1", "2001:db8::/32", "2001:db8::1%lo", "::1::", "a:b:c", "::x"})
    CHECK_FALSE(HostPattern::parse(text));
}
