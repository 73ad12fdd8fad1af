// A connect that is redirected, seen from the client, from the gateway and in the counters.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "agent/redirect/own_sockets.h"
#include "agent/redirect/unreachable.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

// The only guest since the last look, with its origin.
Greeter::Guest only_guest(Stage& stage) {
  auto guests = stage.greeter.guests();
  REQUIRE(guests.size() == 1);
  return guests[0];
}

void check_redirected(Stage& stage, const Seen& seen, const Endpoint& to) {
  CHECK(seen.error == 0);
  CHECK(seen.who == 'G');
  CHECK(seen.peer_text() == to.text());
  const auto guest = only_guest(stage);
  REQUIRE(guest.origin);
  CHECK(guest.origin->destination == to);
  CHECK(guest.origin->pid == seen.pid);
}

}  // namespace

TEST_CASE("hook: IPv4, IPv6 and v4-mapped connects reach a worker, and the client sees its true peer") {
  Stage stage;
  check_redirected(stage, stage.client(stage.origin4()), stage.origin4());
  check_redirected(stage, stage.client(stage.origin6()), stage.origin6());
  check_redirected(stage, stage.client(stage.origin4(), {}, AF_INET6), stage.origin4());
  CHECK(stage.grown(LUNAR_REDIRECTED) == 3);
}

TEST_CASE("hook: a v4-mapped peer keeps its mapped form in getpeername") {
  Stage stage;
  const Seen seen = stage.client(stage.origin4(), {}, AF_INET6);
  const auto& peer = reinterpret_cast<const sockaddr_in6&>(seen.peer);
  CHECK(peer.sin6_family == AF_INET6);
  CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
}

TEST_CASE("hook: a redirected socket is told the local address that it would have had on the way out") {
  Stage stage;
  CHECK(stage.client(stage.origin4()).local_address() == "127.0.0.1");  // the way out is not known
  RouteTable routes;
  routes.default_v4 = routes.default_v6 = true;
  routes.source_v4 = IpAddress::parse("198.18.1.9");
  routes.source_v6 = IpAddress::parse("2001:db8:1::9");
  REQUIRE(stage.hook->set_routes(routes));
  CHECK(stage.client(stage.origin4()).local_address() == "198.18.1.9");
  CHECK(stage.client(stage.origin6()).local_address() == "2001:db8:1::9");
  const Seen mapped = stage.client(stage.origin4(), {}, AF_INET6);
  CHECK(mapped.local_address() == "198.18.1.9");
  CHECK(IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6&>(mapped.local).sin6_addr));
  const Seen bound = stage.client(stage.origin4(), [](int fd) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = inet_addr(Stage::v4_origin);
    bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own);
  });
  CHECK(bound.who == 'G');
  CHECK(bound.local_address() == Stage::v4_origin);  // its own choice stands
  const Seen loopback = stage.client(stage.listeners.front().address);
  CHECK(loopback.local_address() == "127.0.0.1");  // not redirected
}

TEST_CASE("hook: the origin tells who connected") {
  Stage stage;
  const uint64_t cgroup_id = stage.cgroup.make("/client/inner");
  const Seen seen = in_cgroup(stage.cgroup.directory("/client/inner"), [&] {
    prctl(PR_SET_NAME, "shop-thread");
    return connect_once(stage.origin4(), [](int fd) {
      const int mark = 77;
      setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
      sockaddr_in bound{};
      bound.sin_family = AF_INET;
      bound.sin_addr.s_addr = inet_addr(Stage::v4_origin);
      bind(fd, reinterpret_cast<sockaddr*>(&bound), sizeof bound);
      if (setresuid(1234, 1234, 1234) != 0) _exit(3);
    });
  });
  CHECK(seen.who == 'G');
  const auto guest = only_guest(stage);
  REQUIRE(guest.origin);
  CHECK(guest.origin->pid == seen.pid);
  CHECK(guest.origin->uid == 1234);
  CHECK(guest.origin->mark == 77);
  CHECK(guest.origin->cgroup_id == cgroup_id);
  CHECK(guest.origin->netns_cookie != 0);
  CHECK(std::string(guest.origin->comm.data()) == "shop-thread");
  REQUIRE(guest.origin->source);
  CHECK(guest.origin->source->text() == Stage::v4_origin);
  // The child started within the last few seconds.
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const auto now_ns = static_cast<uint64_t>(boot.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(boot.tv_nsec);
  CHECK(guest.origin->start_ns < now_ns);
  CHECK(guest.origin->start_ns > now_ns - 10'000'000'000);
}

TEST_CASE("hook: a connection straight to a worker's listener has no origin") {
  Stage stage;
  const Seen seen = stage.client(stage.listeners.front().address);
  CHECK(seen.who == 'G');
  CHECK(seen.peer_text() == stage.listeners.front().address.text());
  CHECK_FALSE(only_guest(stage).origin);
  CHECK(stage.grown(LUNAR_NO_FLOW) == 1);
  CHECK(stage.grown(LUNAR_BYPASS_ADDRESS) == 1);
}

TEST_CASE("hook: a socket that connects elsewhere after a redirect forgets it") {
  Stage stage;
  const Seen seen = stage.client([&] {
    sockaddr_storage address{};
    const socklen_t length = stage.origin4().to(address);
    const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return Seen{.error = errno};
    sockaddr_storage nowhere{};
    nowhere.ss_family = AF_UNSPEC;
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&nowhere), sizeof nowhere) != 0) return Seen{.error = errno};
    const socklen_t again = stage.listeners.front().address.to(address);
    return finish(fd.get(), connect(fd.get(), reinterpret_cast<sockaddr*>(&address), again) == 0 ? 0 : errno);
  });
  CHECK(seen.error == 0);
  CHECK(seen.peer_text() == stage.listeners.front().address.text());
}

TEST_CASE("hook: connects spread over workers and their addresses") {
  Stage stage(3);
  std::set<unsigned> workers;
  std::set<unsigned> addresses;
  for (int i = 0; i < 120; ++i) CHECK(stage.client(stage.origin4()).who == 'G');
  for (const auto& guest : stage.greeter.guests()) {
    workers.insert(guest.worker());
    addresses.insert(guest.address());
  }
  CHECK(workers == std::set<unsigned>{0, 1, 2});
  CHECK(addresses == std::set<unsigned>{1, 2, 3, 4});
}

TEST_CASE("hook: the gateway does its part without any privilege, on inherited descriptors") {
  Stage stage;
  const int accepted = stage.hook->map_fd("accepted");
  const int own = stage.hook->map_fd("own-sockets");
  const int unreachable = stage.hook->map_fd("unreachable");
  const int beats = stage.hook->map_fd("heartbeats");
  stage.greeter.pause(true);
  const pid_t gateway = fork();
  if (gateway == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (setgroups(0, nullptr) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
      _exit(10);
    auto heartbeats = Heartbeats::map(beats);
    if (!heartbeats) _exit(11);
    heartbeats->beat(0, monotonic_now());
    heartbeats->set_busy(1, true);  // everything comes to worker 0 from now on
    heartbeats->accepted(0);
    Unreachable(unreachable).note(stage.origin6(), monotonic_now() + std::chrono::seconds(30));
    const Fd upstream(socket(AF_INET, SOCK_STREAM, 0));
    if (!OwnSockets(own).mark(upstream.get())) _exit(12);
    // Whichever of the worker's four listeners it is.
    for (;;)
      for (const WorkerListener& listener : stage.listeners) {
        const Fd guest(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!guest) continue;
        const auto origin = OriginMap(accepted).find(guest.get());
        if (send(guest.get(), "G", 1, MSG_NOSIGNAL) != 1) _exit(13);
        _exit(origin && origin->destination == stage.origin4() && listener.worker == 0 ? 0 : 14);
      }
  }
  while (!stage.heartbeats->busy(1)) std::this_thread::yield();
  CHECK(stage.client(stage.origin4()).who == 'G');
  int status = 0;
  waitpid(gateway, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(stage.heartbeats->accepted_total(0) == 1);
  stage.greeter.pause(false);
  CHECK(stage.client(stage.origin6()).who == 'O');
  CHECK(stage.grown(LUNAR_UNREACHABLE) == 1);
}
