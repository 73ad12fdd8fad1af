// A connect that is redirected, seen from the client, from the gateway and in the counters.
#include <doctest/doctest.h>
#include <netinet/tcp.h>

#include "agent/redirect/own_sockets.h"
#include "agent/redirect/unreachable.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

TEST_CASE("hook: an IPv4 connect reaches a worker, and the client sees its true peer") {
  Stage stage;
  const Seen seen = stage.client(stage.origin4());
  CHECK(seen.error == 0);
  CHECK(seen.who == 'G');
  CHECK(seen.peer_text() == stage.origin4().text());
  CHECK(stage.grown(LUNAR_REDIRECTED) == 1);
  const auto guests = stage.greeter.guests();
  REQUIRE(guests.size() == 1);
  REQUIRE(guests[0].origin);
  CHECK(guests[0].origin->destination == stage.origin4());
  CHECK(guests[0].origin->pid == seen.pid);
  CHECK(guests[0].origin->uid == 0);
}
