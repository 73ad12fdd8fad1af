#include "agent/base/endpoint.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("endpoint: prints what it parses, for both families") {
  for (const char* text : {"198.18.0.1:80", "[2001:db8::1]:443", "127.0.0.1:65535"}) {
    auto endpoint = Endpoint::parse(text);
    REQUIRE(endpoint);
    CHECK(endpoint->text() == text);
  }
}

TEST_CASE("endpoint: refuses what is not an address with a port") {
  for (const char* text : {"", "198.18.0.1", "198.18.0.1:", "198.18.0.1:65536", "198.18.0.1:-1", "2001:db8::1:80",
                           "[198.18.0.1]:80", "host:80", "198.18.0.1:8x", "[2001:db8::1]"}) {
    CHECK_FALSE(Endpoint::parse(text));
  }
}

TEST_CASE("endpoint: survives the way through a socket address") {
  for (const char* text : {"198.18.0.1:80", "[2001:db8::1]:443"}) {
    sockaddr_storage storage{};
    auto endpoint = Endpoint::parse(text).value();
    endpoint.to(storage);
    CHECK(Endpoint::from(storage) == endpoint);
  }
}

TEST_CASE("address: the mapped and the plain form of one IPv4 host are equal") {
  CHECK(IpAddress::parse("::ffff:198.18.0.1") == IpAddress::parse("198.18.0.1"));
  CHECK(IpAddress::parse("::ffff:198.18.0.1")->is_v4());
  CHECK_FALSE(IpAddress::parse("2001:db8::1")->is_v4());
}

TEST_CASE("address: nothing may follow it, not even a NUL") {
  using namespace std::string_view_literals;
  for (std::string_view text : {"198.18.0.1\0"sv, "198.18.0.1\0x"sv, "2001:db8::1\0x"sv, "198.18.0.1x"sv})
    CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("prefix: covers its range and nothing beside it") {
  auto range = Prefix::parse("198.18.0.0/15").value();
  CHECK(range.contains(IpAddress::parse("198.19.255.255").value()));
  CHECK_FALSE(range.contains(IpAddress::parse("198.20.0.0").value()));
  CHECK_FALSE(range.contains(IpAddress::parse("2001:db8::1").value()));
  CHECK(Prefix::parse("2001:db8::/33")->contains(IpAddress::parse("2001:db8:7fff::1").value()));
  CHECK_FALSE(Prefix::parse("2001:db8::/33")->contains(IpAddress::parse("2001:db8:8000::1").value()));
  CHECK(Prefix::parse("0.0.0.0/0")->contains(IpAddress::parse("198.18.0.1").value()));
  CHECK_FALSE(Prefix::parse("0.0.0.0/0")->contains(IpAddress::parse("2001:db8::1").value()));
}

TEST_CASE("prefix: prints and parses; an address alone is itself only") {
  CHECK(Prefix::parse("198.18.0.0/15")->text() == "198.18.0.0/15");
  CHECK(Prefix::parse("2001:db8::/32")->text() == "2001:db8::/32");
  CHECK(Prefix::parse("198.18.0.7")->text() == "198.18.0.7/32");
  for (const char* text : {"198.18.0.0/33", "2001:db8::/129", "198.18.0.0/", "/8", "x/8", "198.18.0.0/-1"})
    CHECK_FALSE(Prefix::parse(text));
}
