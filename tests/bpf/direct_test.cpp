// Every doubt sends the connect direct, unmodified, and counts why.
#include <doctest/doctest.h>
#include <netinet/tcp.h>

#include <cstring>

#include "agent/redirect/own_sockets.h"
#include "agent/redirect/unreachable.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

void check_direct(Stage& stage, const Seen& seen, lunar_reason reason) {
  CAPTURE(lunar_reason_name(reason));
  CHECK(seen.error == 0);
  CHECK(seen.who == 'O');
  CHECK(stage.grown(reason) == 1);
  CHECK(stage.grown(LUNAR_REDIRECTED) == 0);
  stage.mark();
}

bool is_redirected(Stage& stage) {
  const bool redirected = stage.client(stage.origin4()).who == 'G';
  stage.mark();
  return redirected;
}

Seen bypassing(Stage& stage, const char* device) {
  return stage.client(stage.origin4(), [device](int fd) {
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, static_cast<socklen_t>(strlen(device)));
  });
}

}  // namespace

TEST_CASE("hook: disarmed and detached connects go direct, at once") {
  Stage stage;
  stage.hook->disarm();
  check_direct(stage, stage.client(stage.origin4()), LUNAR_DISARMED);
  stage.hook->arm();
  CHECK(is_redirected(stage));
  stage.hook->detach();
  CHECK(stage.client(stage.origin4()).who == 'O');
  CHECK(stage.grown(LUNAR_DISARMED) == 0);  // nothing of ours ran any more
}

TEST_CASE("hook: a cgroup without policy, and one with bypass, go direct; the nearest policy wins") {
  Stage stage;
  (void)stage.cgroup.make("/other");
  (void)stage.cgroup.make("/client/inner");
  (void)stage.cgroup.make("/client/inner/deep");
  const auto from = [&stage](const std::string& cgroup) {
    return in_cgroup(stage.cgroup.directory(cgroup), [&] { return connect_once(stage.origin4()); });
  };
  check_direct(stage, from("/other"), LUNAR_NOT_CAPTURED);
  CHECK(from("/client/inner/deep").who == 'G');  // by its ancestor
  stage.mark();
  stage.capture("/client/inner", Policy::bypass);
  check_direct(stage, from("/client/inner"), LUNAR_POLICY_BYPASS);
  check_direct(stage, from("/client/inner/deep"), LUNAR_POLICY_BYPASS);
  stage.capture("/client/inner/deep");
  CHECK(from("/client/inner/deep").who == 'G');
  CHECK(from("/client").who == 'G');
}

TEST_CASE("hook: own and on-link addresses go direct unless the allow list names them") {
  Stage stage;
  RouteTable routes;
  routes.default_v4 = routes.default_v6 = true;
  routes.connected = {*Prefix::parse("198.18.1.0/24"), *Prefix::parse("2001:db8:1::/64")};
  REQUIRE(stage.hook->set_routes(routes));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_BYPASS_ADDRESS);
  check_direct(stage, stage.client(stage.origin6()), LUNAR_BYPASS_ADDRESS);
  check_direct(stage, stage.client(stage.origin4(), {}, AF_INET6), LUNAR_BYPASS_ADDRESS);
  const std::array allowed{*Prefix::parse("198.18.0.0/15"), *Prefix::parse("2001:db8::/32")};
  REQUIRE(stage.hook->set_allowed(allowed));
  CHECK(stage.client(stage.origin4()).who == 'G');
  CHECK(stage.client(stage.origin6()).who == 'G');
  stage.mark();
  routes.own = {stage.origin4().address};
  REQUIRE(stage.hook->set_routes(routes));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_BYPASS_ADDRESS);
  REQUIRE(stage.hook->set_allowed(std::array{Prefix{stage.origin4().address, 128}}));
  CHECK(is_redirected(stage));
  REQUIRE(stage.hook->set_allowed({}));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_BYPASS_ADDRESS);
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::seconds(10), .include_loopback = true});
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: without a default route of its family a connect goes direct, the other family does not") {
  Stage stage;
  RouteTable routes;
  routes.default_v4 = true;
  REQUIRE(stage.hook->set_routes(routes));
  check_direct(stage, stage.client(stage.origin6()), LUNAR_NO_DEFAULT_ROUTE);
  CHECK(is_redirected(stage));
  routes = {};
  routes.default_v6 = true;
  REQUIRE(stage.hook->set_routes(routes));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_NO_DEFAULT_ROUTE);
  check_direct(stage, stage.client(stage.origin4(), {}, AF_INET6), LUNAR_NO_DEFAULT_ROUTE);
  CHECK(stage.client(stage.origin6()).who == 'G');
}

TEST_CASE("hook: marked sockets of our own and sockets bound to a device go direct") {
  Stage stage;
  const OwnSockets own(stage.hook->map_fd("own-sockets"));
  check_direct(stage, stage.client(stage.origin4(), [&](int fd) { CHECK(own.mark(fd)); }), LUNAR_OWN_SOCKET);
  check_direct(stage, stage.client(stage.origin6(), [&](int fd) { CHECK(own.mark(fd)); }), LUNAR_OWN_SOCKET);
  check_direct(stage, bypassing(stage, "lo"), LUNAR_DEVICE_BOUND);
}

TEST_CASE("hook: stale heartbeats send connects direct, a hung or busy worker is passed over") {
  Stage stage;
  stage.heartbeats->expire(0);
  for (int i = 0; i < 20; ++i) CHECK(stage.client(stage.origin4()).who == 'G');
  for (const auto& guest : stage.greeter.guests()) CHECK(guest.worker() == 1);
  stage.heartbeats->expire(1);
  stage.mark();
  check_direct(stage, stage.client(stage.origin4()), LUNAR_STALE_HEARTBEAT);
  stage.beat();
  stage.heartbeats->set_busy(1, true);
  (void)stage.greeter.guests();
  for (int i = 0; i < 20; ++i) CHECK(stage.client(stage.origin4()).who == 'G');
  for (const auto& guest : stage.greeter.guests()) CHECK(guest.worker() == 0);
  stage.heartbeats->set_busy(0, true);
  stage.mark();
  check_direct(stage, stage.client(stage.origin4()), LUNAR_ALL_BUSY);
  stage.heartbeats->set_busy(0, false);
  stage.heartbeats->set_busy(1, false);
}

TEST_CASE("hook: a heartbeat counts until the deadline, and one ahead of our clock counts") {
  Stage stage;
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::milliseconds(200)});
  const auto beat_at = [&stage](Nanoseconds offset) {
    for (uint32_t w = 0; w < 2; ++w) stage.heartbeats->beat(w, monotonic_now() + offset);
  };
  beat_at(-std::chrono::milliseconds(250));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_STALE_HEARTBEAT);
  beat_at(std::chrono::milliseconds(50));
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: without a listener of ours a connect goes direct, also beside somebody else's") {
  Stage stage;
  const WorkerPorts ports = stage.hook->worker_ports(0);
  const WorkerPorts others = stage.hook->worker_ports(1);
  for (const WorkerListener& listener : stage.listeners) shut_listener(listener.fd.get());
  check_direct(stage, stage.client(stage.origin4()), LUNAR_NO_LISTENER);
  check_direct(stage, stage.client(stage.origin6()), LUNAR_NO_LISTENER);
  stage.listeners.clear();
  const auto foreign = open_worker_listeners(0, ports);
  const auto foreign2 = open_worker_listeners(1, others);
  REQUIRE(foreign);
  REQUIRE(foreign2);
  check_direct(stage, stage.client(stage.origin4()), LUNAR_FOREIGN_LISTENER);
  for (const auto& listener : *foreign) REQUIRE(stage.hook->tag_listener(listener.fd.get(), 0));
  for (const auto& listener : *foreign2) REQUIRE(stage.hook->tag_listener(listener.fd.get(), 1));
  for (const auto& listener : *foreign) stage.greeter.serve(listener.fd.get(), 'G');
  for (const auto& listener : *foreign2) stage.greeter.serve(listener.fd.get(), 'G');
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: a listener that is bound to a device is not found, so connects go direct") {
  Stage stage;
  for (const WorkerListener& listener : stage.listeners)
    REQUIRE(setsockopt(listener.fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0);
  check_direct(stage, stage.client(stage.origin4()), LUNAR_NO_LISTENER);
}

TEST_CASE("hook: when too many connections wait to be accepted, further ones go direct") {
  Stage stage(1);
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::seconds(10), .max_pending_accepts = 8});
  stage.greeter.pause(true);
  const auto connect_only = [&] {
    return stage.client([&] {
      sockaddr_storage address{};
      const socklen_t length = stage.origin4().to(address);
      const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
      return Seen{.error = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno};
    });
  };
  for (int i = 0; i < 40; ++i) CHECK(connect_only().error == 0);
  uint32_t pending = 0;
  for (const WorkerListener& listener : stage.listeners) pending += pending_accepts(listener.fd.get());
  CHECK(pending <= 8);
  CHECK(pending > 0);
  CHECK(stage.grown(LUNAR_REDIRECTED) == pending);
  CHECK(stage.grown(LUNAR_BACKLOG) == 40 - pending);
  stage.greeter.pause(false);
  while (pending_accepts(stage.listeners.front().fd.get()) > 0) std::this_thread::yield();
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::seconds(10)});
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: a lost SYN trips the breaker: the next connects go direct, until its time is over") {
  Stage stage;
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::seconds(20), .breaker_time = std::chrono::seconds(20)});
  command("nft add table inet lunar-test");
  command("nft 'add chain inet lunar-test in { type filter hook input priority 0; }'");
  command("nft add rule inet lunar-test in ip daddr 127.77.0.0/16 tcp flags syn drop");
  const Seen lost = stage.client(stage.origin4(), [](int fd) {
    const int attempts = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &attempts, sizeof attempts);
  });
  command("nft delete table inet lunar-test");
  CHECK(lost.error == ETIMEDOUT);
  CHECK(lost.elapsed_ns < 900'000'000);  // its few SYNs are sent some 20 ms apart instead of 1 s and more
  CHECK(stage.grown(LUNAR_SYN_LOST) >= 1);
  CHECK(stage.hook->breaker_open(monotonic_now()));
  stage.mark();
  check_direct(stage, stage.client(stage.origin4()), LUNAR_BREAKER);
  CHECK_FALSE(stage.hook->breaker_open(monotonic_now() + std::chrono::seconds(21)));
  stage.hook->reset_breaker();
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: a destination that was just unreachable goes direct, others do not") {
  Stage stage;
  const Unreachable unreachable(stage.hook->map_fd("unreachable"));
  unreachable.note(stage.origin4(), monotonic_now() + std::chrono::seconds(30));
  check_direct(stage, stage.client(stage.origin4()), LUNAR_UNREACHABLE);
  check_direct(stage, stage.client(stage.origin4(), {}, AF_INET6), LUNAR_UNREACHABLE);
  CHECK(stage.client(stage.origin6()).who == 'G');
  unreachable.note(stage.origin4(), monotonic_now());  // over
  CHECK(is_redirected(stage));
  unreachable.note(stage.origin4(), monotonic_now() + std::chrono::seconds(30));
  unreachable.forget(stage.origin4());
  CHECK(is_redirected(stage));
}

TEST_CASE("hook: a connect that is refused fails as it would have, and is not hidden") {
  Stage stage;
  stage.hook->disarm();
  Endpoint closed = stage.origin4();
  closed.port = 9;
  CHECK(stage.client(closed).error == ECONNREFUSED);
}
