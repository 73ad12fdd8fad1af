#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <future>

#include "agent/gateway/handover.h"
#include "tests/gateway/peers.h"

using namespace lunar;
using namespace lunar::test;

namespace {

std::string get(const Endpoint& provider) { return "GET http://" + provider.text() + "/ HTTP/1.1\r\n\r\n"; }

void serve(Wire& wire, int) {
  while (wire.receive_until("\r\n\r\n").ends_with("\r\n\r\n"))
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

// What the admin thread of a successor does.
void adopt_from(int socket, gateway::Gateway& successor) {
  for (bool closed = false; !closed;) {
    if (auto client = gateway::receive_client(socket, closed)) successor.adopt(std::move(client->client), client->role);
  }
}

}  // namespace

TEST_CASE("drain: idle clients go on at the successor, busy ones after their answer") {
  std::promise<void> release;
  auto released = release.get_future().share();
  Provider provider([released](Wire& wire, int connection) {
    if (connection == 2) {
      wire.receive_until("\r\n\r\n");
      wire.receive(100'000);
      released.wait();
      wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    }
    serve(wire, connection);
  });
  ProxyGateway old;
  ProxyGateway successor;
  Wire idle = old.client();
  idle.send(get(provider.address()));
  CHECK(idle.receive_until("ok").ends_with("ok"));
  Wire busy = old.client();
  // A body too long to be sent twice gets a connection of its own.
  busy.send("POST http://" + provider.address().text() + "/ HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" +
            std::string(100'000, 'x'));
  REQUIRE(eventually([&] { return provider.connections() == 2; }));

  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  Fd from(ends[1]);
  std::thread adopter([&] { adopt_from(from.get(), successor.gateway()); });
  old.gateway().hand_over(Fd(ends[0]));

  idle.send(get(provider.address()));
  CHECK(idle.receive_until("ok").ends_with("ok"));
  CHECK_FALSE(old.gateway().ended());
  release.set_value();
  CHECK(busy.receive_until("slow").ends_with("slow"));
  CHECK(eventually([&] { return old.gateway().ended(); }));
  busy.send(get(provider.address()));
  CHECK(busy.receive_until("ok").ends_with("ok"));
  shutdown(from.get(), SHUT_RDWR);
  adopter.join();
}

TEST_CASE("drain: shutting down finishes what is under way, refuses what is new, and ends") {
  std::promise<void> release;
  auto released = release.get_future().share();
  Provider provider([released](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    released.wait();
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    wire.receive_all();
  });
  ProxyGateway proxy;
  Wire idle = proxy.client();
  Wire busy = proxy.client();
  busy.send(get(provider.address()));
  REQUIRE(eventually([&] { return provider.connections() == 1; }));
  proxy.gateway().shut_down();
  CHECK(idle.closed_by_peer());
  idle.finish();
  CHECK_FALSE(proxy.gateway().ended());
  release.set_value();
  std::string answer = busy.receive_all();
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(answer.ends_with("ok"));
  busy.finish();
  CHECK(eventually([&] { return proxy.gateway().ended(); }));
}

TEST_CASE("drain: the end cuts off whatever is left") {
  Provider provider([](Wire& wire, int) { wire.receive_all(); });
  ProxyGateway proxy;
  Wire tunnel = proxy.client();
  tunnel.send("CONNECT " + provider.address().text() + " HTTP/1.1\r\n\r\n");
  tunnel.receive_until("\r\n\r\n");
  Wire waiting = proxy.client();
  waiting.send(get(provider.address()));
  REQUIRE(eventually([&] { return provider.connections() == 2; }));
  proxy.gateway().end();
  CHECK(eventually([&] { return proxy.gateway().ended(); }));
  tunnel.receive_all();
  CHECK(waiting.reset_by_peer());
}
