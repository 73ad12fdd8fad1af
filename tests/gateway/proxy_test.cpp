#include <doctest/doctest.h>

#include "tests/gateway/peers.h"

using namespace lunar;
using namespace lunar::test;

namespace {

std::string get(const Endpoint& provider, std::string_view path = "/", std::string_view fields = "") {
  return "GET http://" + provider.text() + std::string(path) + " HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

std::string ok(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

// Answers every request without a body with its own head, until the client closes.
void mirror(Wire& wire, int) {
  for (;;) {
    std::string head = wire.receive_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) return;
    wire.send(ok(head));
  }
}

[[maybe_unused]] std::string body_of(Wire& wire) {
  std::string head = wire.receive_until("\r\n\r\n");
  size_t at = head.find("Content-Length: ");
  REQUIRE(at != std::string::npos);
  return wire.receive(std::stoul(head.substr(at + 16)));
}

}  // namespace

TEST_CASE("gateway: a forward request reaches its provider in origin-form, without what was meant for us") {
  Provider provider(mirror);
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send(get(provider.address(), "/a?b=c",
                  "X-Odd-Case: 1\r\nx-lunar-consumer-tag: shop\r\nProxy-Connection: keep-alive\r\nx-odd-case: 2\r\n"));
  CHECK(body_of(client) ==
        "GET /a?b=c HTTP/1.1\r\nHost: " + provider.address().text() + "\r\nX-Odd-Case: 1\r\nx-odd-case: 2\r\n\r\n");
  TransactionRecord record = proxy.next_record();
  CHECK(record.get(TransactionText::method) == "GET");
  CHECK(record.get(TransactionText::path) == "/a");
  CHECK(record.get(TransactionText::consumer_tag) == "shop");
  CHECK(record.status == 200);
  CHECK(record.mode == EntryMode::forward);
  CHECK(record.termination == Termination::ok);
}

TEST_CASE("gateway: requests of several clients share a provider connection one after the other") {
  Provider provider(mirror);
  ProxyGateway proxy;
  for (int i = 0; i < 3; ++i) {
    Wire client = proxy.client();
    client.send(get(provider.address()));
    body_of(client);
    client.send(get(provider.address(), "/again"));
    CHECK(body_of(client).starts_with("GET /again"));
  }
  CHECK(provider.connections() == 1);
}

TEST_CASE("gateway: pipelined requests are answered in order") {
  Provider provider(mirror);
  ProxyGateway proxy;
  Wire client = proxy.client();
  std::string all;
  for (int i = 0; i < 50; ++i) all += get(provider.address(), "/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 50; ++i) CHECK(body_of(client).starts_with("GET /" + std::to_string(i) + " "));
}

TEST_CASE("gateway: a pooled connection that its provider closed at that moment costs the client nothing") {
  // Each connection serves one request, promises to stay, and resets when the next one has arrived.
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send(ok("first"));
    wire.receive_until("\r\n\r\n");
    wire.abort();
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  for (int i = 0; i < 5; ++i) {
    client.send(get(provider.address()));
    CHECK(body_of(client) == "first");
  }
  CHECK(provider.connections() == 5);
}

TEST_CASE("gateway: a request that may have been acted upon is not sent twice") {
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send(ok("first"));
    wire.receive_until("end");
    wire.abort();
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send(get(provider.address()));
  CHECK(body_of(client) == "first");
  client.send("POST http://" + provider.address().text() + "/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nend");
  CHECK(client.receive_until("\r\n\r\n").find("x-lunar-error: 2") != std::string::npos);
  CHECK(provider.connections() == 1);
}

TEST_CASE("gateway: bodies in both directions arrive as they were sent") {
  const std::string chunked = "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n";
  std::string seen;
  Provider provider([&](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    seen = wire.receive(chunked.size());
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunked);
    wire.closed_by_peer();
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send("POST http://" + provider.address().text() + "/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (char byte : chunked) client.send({&byte, 1});
  client.receive_until("\r\n\r\n");
  CHECK(client.receive(chunked.size()) == chunked);
  CHECK(seen == chunked);
}

TEST_CASE("gateway: large bodies pass whole, and a slow reader slows the sender down") {
  std::string large(48 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>('a' + i / 4096 % 26);
  std::string seen;
  Provider provider([&](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    seen = wire.receive(large.size());
    wire.send(ok(large));
    wire.closed_by_peer();
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send("PUT http://" + provider.address().text() +
              "/ HTTP/1.1\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n");
  client.send(large);
  CHECK(body_of(client) == large);
  CHECK(seen == large);
  TransactionRecord record = proxy.next_record();
  CHECK(record.bytes_in == large.size());
  CHECK(record.bytes_out == large.size());
}

TEST_CASE("gateway: 100-continue and other interim answers pass before the final one") {
  Provider provider([](Wire& wire, int) {
    CHECK(wire.receive_until("\r\n\r\n").find("Expect: 100-continue") != std::string::npos);
    CHECK(wire.silent_for(std::chrono::milliseconds(50)));
    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    CHECK(wire.receive(4) == "body");
    wire.send(ok("done"));
    wire.closed_by_peer();
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send("POST http://" + provider.address().text() +
              "/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 103"));
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 100"));
  client.send("body");
  CHECK(body_of(client) == "done");
}

TEST_CASE("gateway: an answer without length ends with its connection") {
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send(get(provider.address()));
  client.receive_until("\r\n\r\n");
  CHECK(client.receive_all() == "until the end");
}

TEST_CASE("gateway: an answer that breaks off is never completed") {
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send(get(provider.address()));
  client.receive_until("\r\n\r\n");
  CHECK(client.receive_all() == "5\r\nhello\r\n");
  CHECK(proxy.next_record().termination == Termination::provider_abort);
}

TEST_CASE("gateway: behind 101 both directions are bytes") {
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi");
    wire.send(wire.receive(5));
    CHECK(wire.closed_by_peer());
    wire.send("bye");
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send(get(provider.address(), "/", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  CHECK(client.receive(2) == "hi");
  client.send("GET /");
  CHECK(client.receive(5) == "GET /");
  client.finish();
  CHECK(client.receive_all() == "bye");
}

TEST_CASE("gateway: CONNECT makes a tunnel") {
  Provider provider([](Wire& wire, int) {
    wire.send("220 ready\r\n");
    wire.send(wire.receive_until("\r\n"));
  });
  ProxyGateway proxy;
  Wire client = proxy.client();
  client.send("CONNECT " + provider.address().text() + " HTTP/1.1\r\n\r\n");
  CHECK(client.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  CHECK(client.receive_until("\r\n") == "220 ready\r\n");
  client.send("EHLO\r\n");
  CHECK(client.receive_all() == "EHLO\r\n");
  client.finish();
  TransactionRecord record = proxy.next_record();
  CHECK(record.opaque == OpaqueReason::connect);
  CHECK(record.get(TransactionText::method) == "TUNNEL");
}

TEST_CASE("gateway: failures are told by code") {
  Provider provider(mirror);
  Endpoint closed_port;
  listen_on_loopback(closed_port).reset();
  auto lists = DomainLists::create({}, {"^127\\.0\\.0\\.9"});
  REQUIRE(lists);
  ProxyGateway proxy({}, *lists);
  struct Case {
    std::string request;
    const char* status;
    const char* code;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n", "401", "1"},
      {get(closed_port), "503", "2"},
      {get(proxy.address()), "404", "4"},
      {"GET http://127.0.0.9/ HTTP/1.1\r\n\r\n", "403", "7"},
      {"GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n", "400", "21"},
      {"GET http://127.0.0.1/ HTTP/1.1\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n", "431", "21"},
      {"GET http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400", "21"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.request.substr(0, 80));
    Wire client = proxy.client();
    client.send(each.request);
    std::string head = client.receive_until("\r\n\r\n");
    CHECK(head.starts_with(std::string("HTTP/1.1 ") + each.status));
    CHECK(head.find(std::string("x-lunar-error: ") + each.code + "\r\n") != std::string::npos);
    CHECK(proxy.next_record().x_lunar_error == std::stoi(each.code));
  }
}

TEST_CASE("gateway: a provider that stays silent is a timeout in explicit modes") {
  Provider provider([](Wire& wire, int) { wire.receive_all(); });
  ProxyGateway proxy([](LunardConfig& config) { config.timeouts.server = std::chrono::milliseconds(200); });
  Wire client = proxy.client();
  client.send(get(provider.address()));
  std::string head = client.receive_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 504"));
  CHECK(head.find("x-lunar-error: 3") != std::string::npos);
}

TEST_CASE("gateway: a client that aborts takes its provider connection with it") {
  std::atomic<bool> reset{false};
  Provider provider([&](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    reset = wire.reset_by_peer();
  });
  ProxyGateway proxy;
  {
    Wire client = proxy.client();
    client.send(get(provider.address()));
    REQUIRE(eventually([&] { return provider.connections() == 1; }));
    client.abort();
  }
  CHECK(eventually([&] { return reset.load(); }));
  CHECK(proxy.next_record().termination == Termination::client_abort);
}
