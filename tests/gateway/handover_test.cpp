#include "agent/gateway/handover.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>

using namespace lunar;
using namespace lunar::gateway;

namespace {

std::pair<Fd, Fd> pair_of(int type) {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

TEST_CASE("handover: a connection arrives with its role and still works") {
  auto [predecessor, successor] = pair_of(SOCK_SEQPACKET);
  auto [client, peer] = pair_of(SOCK_STREAM);
  bool closed = false;
  CHECK_FALSE(receive_client(successor.get(), closed));
  CHECK_FALSE(closed);

  REQUIRE(send_client(predecessor.get(), client.get(), ListenerRole::proxy));
  client.reset();
  auto received = receive_client(successor.get(), closed);
  REQUIRE(received);
  CHECK(received->role == ListenerRole::proxy);
  REQUIRE(write(peer.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(read(received->client.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("handover: the end of the predecessor is seen, and nothing is sent to a successor that has gone") {
  auto [predecessor, successor] = pair_of(SOCK_SEQPACKET);
  auto [client, peer] = pair_of(SOCK_STREAM);
  bool closed = false;
  predecessor.reset();
  CHECK_FALSE(receive_client(successor.get(), closed));
  CHECK(closed);

  auto [second, gone] = pair_of(SOCK_SEQPACKET);
  gone.reset();
  CHECK_FALSE(send_client(second.get(), client.get(), ListenerRole::worker));
}
