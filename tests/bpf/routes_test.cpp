// The host's addresses and routes, by netlink, in a network namespace of our own.
#include <doctest/doctest.h>
#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <thread>

#include "agent/redirect/netns.h"
#include "agent/redirect/routes.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

// Until the change has arrived: some commands cause several notifications.
bool becomes(Routes& routes, const std::function<bool(const RouteTable&)>& holds) {
  const MonotonicTime until = monotonic_now() + std::chrono::seconds(5);
  while (!holds(routes.table())) {
    pollfd readable{.fd = routes.fd(), .events = POLLIN, .revents = 0};
    if (monotonic_now() > until) return false;
    if (poll(&readable, 1, 1000) == 1) (void)routes.on_readable();
  }
  return true;
}

template <class T>
bool has(const std::vector<T>& values, std::string_view text) {
  return std::ranges::find(values, *T::parse(text)) != values.end();
}

void check_routes() {
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  REQUIRE(netns::bring_loopback_up());
  auto opened = Routes::open();
  REQUIRE(opened);
  Routes& routes = **opened;
  CHECK_FALSE(routes.table().default_v4);
  CHECK_FALSE(routes.table().default_v6);
  CHECK(has(routes.table().own, "127.0.0.1"));

  command("ip link add name lunar-a type veth peer name lunar-b");
  command("ip link set lunar-a up");
  command("ip link set lunar-b up");
  command("ip address add 198.18.5.1/24 dev lunar-a");
  command("ip -6 address add 2001:db8:5::1/64 dev lunar-a nodad");
  CHECK(becomes(routes, [](const RouteTable& t) {
    return has(t.own, "198.18.5.1") && has(t.connected, "198.18.5.0/24") && has(t.own, "2001:db8:5::1") &&
           has(t.connected, "2001:db8:5::/64");
  }));
  CHECK_FALSE(routes.table().default_v4);

  command("ip route add 198.18.9.0/24 via 198.18.5.2");  // neither on-link nor default
  command("ip route add 198.18.10.0/24 dev lunar-a");    // somebody's tunnel
  command("ip route add default via 198.18.5.2");
  CHECK(becomes(routes, [](const RouteTable& t) { return t.default_v4; }));
  CHECK(routes.table().source_v4 == IpAddress::parse("198.18.5.1"));
  CHECK_FALSE(routes.table().default_v6);
  CHECK_FALSE(has(routes.table().connected, "198.18.9.0/24"));
  CHECK_FALSE(has(routes.table().connected, "198.18.10.0/24"));
  command("ip -6 route add default via 2001:db8:5::2");
  CHECK(becomes(routes, [](const RouteTable& t) { return t.default_v6; }));
  CHECK(routes.table().source_v6 == IpAddress::parse("2001:db8:5::1"));
  command("ip route del default");
  CHECK(becomes(routes, [](const RouteTable& t) { return !t.default_v4 && t.default_v6; }));
  command("ip route add 0.0.0.0/1 via 198.18.5.2");  // how VPNs write it
  CHECK(becomes(routes, [](const RouteTable& t) { return t.default_v4; }));
  command("ip link set lunar-a down");  // the kernel drops IPv4 routes without a word
  CHECK(becomes(routes, [](const RouteTable& t) { return !t.default_v4 && !t.default_v6; }));
}

}  // namespace

TEST_CASE("routes: follow addresses, on-link ranges and default routes of both families") {
  std::thread(check_routes).join();  // the namespace is the thread's
}
