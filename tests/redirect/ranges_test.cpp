// Which ranges bypass the gateway.
#include <doctest/doctest.h>

#include <string_view>

#include "agent/redirect/ranges.h"

using namespace lunar;

namespace {

// Longest prefix first, as the kernel's trie finds it.
lunar_range_kind kind_of(const RangeKinds& ranges, std::string_view address) {
  const auto wanted = IpAddress::parse(address);
  REQUIRE(wanted);
  int best = -1;
  auto kind = lunar_range_kind{};
  for (const auto& [prefix, candidate] : ranges) {
    if (!prefix.contains(*wanted) || prefix.length <= best) continue;
    best = prefix.length;
    kind = candidate;
  }
  return kind;
}

constexpr auto capturable = lunar_range_kind{};

}  // namespace

TEST_CASE("ranges: private, link-local and loopback addresses bypass, public ones do not") {
  const RangeKinds ranges = bypass_ranges({});
  CHECK(kind_of(ranges, "127.0.0.1") == LUNAR_RANGE_LOCAL);
  CHECK(kind_of(ranges, "127.77.0.1") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "127.78.0.1") == LUNAR_RANGE_LOCAL);
  CHECK(kind_of(ranges, "0.0.0.0") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "10.255.0.1") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "172.31.255.255") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "172.32.0.0") == capturable);
  CHECK(kind_of(ranges, "192.168.1.1") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "169.254.169.254") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "100.64.0.1") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "239.1.1.1") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "255.255.255.255") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "198.18.0.1") == capturable);
  CHECK(kind_of(ranges, "::1") == LUNAR_RANGE_LOCAL);
  CHECK(kind_of(ranges, "::") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "fe80::1") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "fd00::1") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "ff02::1") == LUNAR_RANGE_NEVER);
  CHECK(kind_of(ranges, "2001:db8::1") == capturable);
}

TEST_CASE("ranges: own addresses and on-link ranges bypass") {
  RouteTable routes;
  routes.own = {*IpAddress::parse("198.18.7.1"), *IpAddress::parse("2001:db8:7::1")};
  routes.connected = {*Prefix::parse("198.18.7.0/24"), *Prefix::parse("2001:db8:7::/64")};
  const RangeKinds ranges = bypass_ranges(routes);
  CHECK(kind_of(ranges, "198.18.7.1") == LUNAR_RANGE_LOCAL);
  CHECK(kind_of(ranges, "198.18.7.2") == LUNAR_RANGE_NEAR);
  CHECK(kind_of(ranges, "198.18.8.1") == capturable);
  CHECK(kind_of(ranges, "2001:db8:7::1") == LUNAR_RANGE_LOCAL);
  CHECK(kind_of(ranges, "2001:db8:7::2") == LUNAR_RANGE_NEAR);
}

TEST_CASE("ranges: an own address inside our listeners' range does not open it") {
  RouteTable routes;
  routes.connected = {*Prefix::parse("127.77.0.0/16")};
  CHECK(kind_of(bypass_ranges(routes), "127.77.0.1") == LUNAR_RANGE_NEVER);
}
