// The odd ways to connect, and what must not be touched.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cstring>

#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

#ifndef IPPROTO_MPTCP
constexpr int IPPROTO_MPTCP = 262;
#endif

struct Address {
  sockaddr_storage storage{};
  socklen_t length;
  explicit Address(const Endpoint& to) : length(to.to(storage)) {}
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

void check_redirected(Stage& stage, const Seen& seen) {
  CHECK(seen.error == 0);
  CHECK(seen.who == 'G');
  CHECK(seen.peer_text() == stage.origin4().text());
  const auto guests = stage.greeter.guests();
  REQUIRE(guests.size() == 1);
  REQUIRE(guests[0].origin);
  CHECK(guests[0].origin->destination == stage.origin4());
}

Seen uring_connect(const Endpoint& to, unsigned flags) {
  io_uring ring{};
  if (io_uring_queue_init(4, &ring, flags) != 0) return {.error = ENOSYS};
  const Address address(to);
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  io_uring_sqe* entry = io_uring_get_sqe(&ring);
  io_uring_prep_connect(entry, fd.get(), address.get(), address.length);
  entry->flags |= IOSQE_ASYNC;  // by a worker thread of the kernel, not by ourselves
  io_uring_submit(&ring);
  io_uring_cqe* completion = nullptr;
  const int waited = io_uring_wait_cqe(&ring, &completion);
  const int error = waited != 0 ? -waited : -completion->res;
  Seen seen = finish(fd.get(), error);
  io_uring_queue_exit(&ring);
  return seen;
}

Seen send_datagram(const Endpoint& to, bool connected) {
  const Address address(to);
  const Fd fd(socket(address.storage.ss_family, SOCK_DGRAM, 0));
  if (connected) {
    if (connect(fd.get(), address.get(), address.length) != 0) return {.error = errno};
    Seen seen;
    socklen_t length = sizeof seen.peer;
    if (getpeername(fd.get(), reinterpret_cast<sockaddr*>(&seen.peer), &length) != 0) seen.error = errno;
    return seen;
  }
  return {.error = sendto(fd.get(), "x", 1, 0, address.get(), address.length) == 1 ? 0 : errno};
}

}  // namespace

TEST_CASE("hook: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, non-blocking and io_uring connects are redirected") {
  Stage stage;
  check_redirected(stage, stage.client([&] {
    const Address address(stage.origin4());
    const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    return finish(fd.get(), sendto(fd.get(), "x", 1, MSG_FASTOPEN, address.get(), address.length) == 1 ? 0 : errno);
  }));
  check_redirected(stage, stage.client([&] {
    const Address address(stage.origin4());
    const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    const int on = 1;
    if (setsockopt(fd.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0) return Seen{.error = errno};
    if (connect(fd.get(), address.get(), address.length) != 0) return Seen{.error = errno};
    return finish(fd.get(), send(fd.get(), "x", 1, 0) == 1 ? 0 : errno);
  }));
  check_redirected(stage, stage.client([&] {
    const Address address(stage.origin4());
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int error = connect(fd.get(), address.get(), address.length) == 0 ? 0 : errno;
    pollfd writable{.fd = fd.get(), .events = POLLOUT, .revents = 0};
    if (error == EINPROGRESS && poll(&writable, 1, 3000) == 1) {
      socklen_t length = sizeof error;
      getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
    return finish(fd.get(), error);
  }));
  check_redirected(stage, stage.client([&] { return uring_connect(stage.origin4(), 0); }));
  check_redirected(stage, stage.client([&] { return uring_connect(stage.origin4(), IORING_SETUP_SQPOLL); }));
}

TEST_CASE("hook: an MPTCP socket is redirected and sees its true peer") {
  Stage stage;
  check_redirected(stage, stage.client(stage.origin4(), {}, AF_INET, IPPROTO_MPTCP));
}

TEST_CASE("hook: a socket made before its process moved into a captured cgroup is redirected at connect") {
  Stage stage;
  (void)stage.cgroup.make("/before");
  const auto moved_from = [&](const std::string& directory) {
    return in_cgroup(directory, [&] {
      return connect_once(stage.origin4(), [&](int) { enter_cgroup(stage.cgroup.directory("/client")); });
    });
  };
  check_redirected(stage, moved_from(stage.cgroup.directory("/before")));
  // The kernel keeps a socket's cgroup: one from outside of where the links are never meets them.
  CHECK(moved_from(stage.cgroup.mount()).who == 'O');
}

TEST_CASE("hook: UDP is never touched, unless QUIC is to be refused") {
  Stage stage;
  Endpoint quic4 = stage.origin4();
  Endpoint quic6 = stage.origin6();
  quic4.port = quic6.port = 443;
  for (const Endpoint& to : {quic4, quic6}) {
    const Seen connected = stage.client([&] { return send_datagram(to, true); });
    CHECK(connected.error == 0);
    CHECK(connected.peer_text() == to.text());
    CHECK(stage.client([&] { return send_datagram(to, false); }).error == 0);
  }
  CHECK(stage.hook->counters() == ReasonCounts{});
}

TEST_CASE("hook: QUIC of captured cgroups is refused when asked, everything else on UDP goes on") {
  Stage stage;
  (void)stage.cgroup.make("/other");
  stage.hook->detach();
  stage.hook->set_limits({.heartbeat_deadline = std::chrono::seconds(10), .refuse_quic = true});
  REQUIRE(stage.hook->attach(stage.cgroup.directory(), stage.cgroup.directory("/gateway")));
  stage.hook->arm();
  Endpoint quic4 = stage.origin4();
  Endpoint quic6 = stage.origin6();
  quic4.port = quic6.port = 443;
  for (const Endpoint& to : {quic4, quic6}) {
    CHECK(stage.client([&] { return send_datagram(to, true); }).error == EPERM);
    CHECK(stage.client([&] { return send_datagram(to, false); }).error == EPERM);
    CHECK(in_cgroup(stage.cgroup.directory("/other"), [&] { return send_datagram(to, true); }).error == 0);
    CHECK(in_cgroup(stage.cgroup.directory("/other"), [&] { return send_datagram(to, false); }).error == 0);
  }
  CHECK(stage.grown(LUNAR_QUIC_REFUSED) == 4);
  Endpoint dns = stage.origin4();
  dns.port = 53;
  CHECK(stage.client([&] { return send_datagram(dns, true); }).error == 0);
  CHECK(stage.client([&] { return send_datagram(dns, false); }).error == 0);
  stage.hook->disarm();
  CHECK(stage.client([&] { return send_datagram(quic4, false); }).error == 0);
}
