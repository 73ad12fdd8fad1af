#include "agent/admin/http_server.h"

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/admin/routes.h"
#include "tests/admin/loopback.h"

using namespace lunar;
using namespace lunar::admin;
using namespace lunar::admin::testing;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  explicit Fixture(HttpListener rules, HttpLimits limits = {})
      : loop(EventLoop::create().value()), path(directory.path / "s"), server(loop, limits) {
    REQUIRE(server.serve(listen_unix(path), std::move(rules)));
  }
  Client client() { return {loop, path}; }
  std::string ask(std::string_view request) {
    Client one = client();
    one.send(request);
    return one.until_closed();
  }
  void spin(std::chrono::milliseconds time) {
    for (const auto end = monotonic_now() + time; monotonic_now() < end;) loop.run_once(1ms);
  }

  Directory directory;
  EventLoop loop;
  std::string path;
  HttpServer server;
};

void echo(const HttpRequest& request, HttpReply reply) {
  reply.send({.content_type = "text/plain", .body = request.method + " " + request.path + " " + request.body});
}

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kLast = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("http server: answers on one connection, in order, also what is pipelined") {
  Fixture fixture({.service = echo});
  Client client = fixture.client();
  client.send(std::string(kGet) + "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz" + std::string(kLast));
  const std::string all = client.until_closed();
  const size_t first = all.find("GET /a ");
  const size_t second = all.find("POST /b xyz");
  const size_t third = all.find("GET /last ");
  REQUIRE(third != std::string::npos);
  CHECK(first < second);
  CHECK(second < third);
  CHECK(all.find("Connection: close") > second);
}

TEST_CASE("http server: an answer may come later, and the next request waits for it") {
  std::optional<HttpReply> later;
  Fixture fixture({.service = [&](const HttpRequest& request, HttpReply reply) {
    if (request.path == "/a") {
      later = reply;
    } else {
      echo(request, reply);
    }
  }});
  Client client = fixture.client();
  client.send(std::string(kGet) + std::string(kLast));
  fixture.spin(20ms);
  REQUIRE(later);
  CHECK(client.receive([](const std::string&) { return true; }).empty());
  later->send({.body = "late"});
  const std::string& all = client.until_closed();
  CHECK(all.find("late") < all.find("GET /last"));
  CHECK_FALSE(later->alive());
}

TEST_CASE("http server: a request that nobody answers gets a 500") {
  Fixture fixture({.service = [](const HttpRequest&, HttpReply) {}});
  CHECK(status_of(fixture.ask(kLast)) == 500);
}

TEST_CASE("http server: a service that throws gives a 500, and the connection goes on") {
  Fixture fixture({.service = [](const HttpRequest& request, const HttpReply&) {
    throw std::runtime_error("no " + request.path);
  }});
  Client client = fixture.client();
  client.send(std::string(kGet) + std::string(kLast));
  const std::string& all = client.until_closed();
  CHECK(status_of(all) == 500);
  CHECK(all.find("HTTP/1.1 500", 10) != std::string::npos);
}

TEST_CASE("http server: the limit of one listener leaves the others alone") {
  Fixture fixture({.service = echo}, {.connections = 1});
  const std::string other = fixture.directory.path / "other";
  REQUIRE(fixture.server.serve(listen_unix(other), {.service = echo}));
  Client first = fixture.client();
  first.send(kGet);
  first.until("GET /a");
  CHECK(status_of(fixture.ask(kLast)) == 503);
  Client elsewhere(fixture.loop, other);
  elsewhere.send(kLast);
  CHECK(status_of(elsewhere.until_closed()) == 200);
}

TEST_CASE("http server: HEAD gets the length but no body") {
  Fixture fixture({.service = echo});
  const std::string answer = fixture.ask("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(answer.find("Content-Length: 8\r\n") != std::string::npos);
  CHECK(body_of(answer).empty());
}

TEST_CASE("http server: streams in chunks, and until close for HTTP/1.0") {
  Fixture fixture({.service = [](const HttpRequest&, HttpReply reply) {
    reply.begin(200, "application/x-ndjson");
    CHECK(reply.write("one\n"));
    CHECK(reply.write("two two two two two\n"));
    reply.end();
  }});
  const std::string chunked = fixture.ask(kLast);
  CHECK(body_of(chunked) == "4\r\none\n\r\n14\r\ntwo two two two two\n\r\n0\r\n\r\n");
  const std::string plain = fixture.ask("GET / HTTP/1.0\r\n\r\n");
  CHECK(body_of(plain) == "one\ntwo two two two two\n");
  CHECK(plain.find("chunked") == std::string::npos);
}

TEST_CASE("http server: a stream tells when its reader has gone") {
  std::optional<HttpReply> stream;
  bool gone = false;
  Fixture fixture({.service = [&](const HttpRequest&, HttpReply reply) {
    reply.begin(200, "text/plain");
    reply.on_gone([&] { gone = true; });
    stream = reply;
  }});
  {
    Client client = fixture.client();
    client.send(kGet);
    client.until("\r\n\r\n");
    CHECK(stream->write("x"));
    CHECK_FALSE(gone);
  }
  fixture.spin(20ms);
  CHECK(gone);
  CHECK_FALSE(stream->alive());
  CHECK_FALSE(stream->write("x"));
  CHECK(fixture.server.connections() == 0);
}

TEST_CASE("http server: a stream reader that is too slow costs a bounded buffer") {
  std::optional<HttpReply> stream;
  Fixture fixture({.service =
                       [&](const HttpRequest&, HttpReply reply) {
                         reply.begin(200, "text/plain");
                         stream = reply;
                       }},
                  {.stream_buffer = 100'000});
  Client client = fixture.client();
  client.send(kGet);
  fixture.spin(10ms);
  REQUIRE(stream);
  const std::string kilobyte(1000, 'x');
  size_t taken = 0;
  while (taken < 10'000 && stream->write(kilobyte)) ++taken;
  CHECK(taken < 2000);
  CHECK(taken > 50);
  CHECK(stream->alive());
  client.receive([](const std::string& got) { return got.size() > 500'000; }, 200ms);
  CHECK(stream->write(kilobyte));
}

TEST_CASE("http server: refuses bad requests, says why in JSON and ends the connection") {
  Fixture fixture({.service = echo});
  const std::string bad = fixture.ask("nonsense\r\n\r\n");
  CHECK(status_of(bad) == 400);
  CHECK(bad.find("{\"error\":") != std::string::npos);
  const std::string large =
      fixture.ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nxx" + std::string(kGet));
  CHECK(status_of(large) == 413);
  CHECK(large.find("HTTP/1.1", 10) == std::string::npos);
}

TEST_CASE("http server: the gate refuses by the head, before any body is read") {
  bool served = false;
  Fixture fixture({.service =
                       [&](const HttpRequest&, HttpReply reply) {
                         served = true;
                         reply.send({});
                       },
                   .gate = [](const HttpRequest& head) -> std::optional<HttpResponse> {
                     if (head.authorization == "Bearer key") return std::nullopt;
                     return error_response(401, "no", "no");
                   }});
  CHECK(status_of(fixture.ask("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")) == 401);
  CHECK_FALSE(served);
  CHECK(status_of(fixture.ask("GET / HTTP/1.0\r\nAuthorization: Bearer key\r\n\r\n")) == 200);
  CHECK(served);
}

TEST_CASE("http server: asks for the body that a client holds back") {
  Fixture fixture({.service = echo});
  Client client = fixture.client();
  client.send("POST /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
  CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("xyz");
  CHECK(client.until_closed().find("POST /b xyz") != std::string::npos);
}

TEST_CASE("http server: a request that trickles in is cut at its deadline, however busy it keeps us") {
  Fixture fixture({.service = echo}, {.request_deadline = 80ms, .idle_deadline = 10s});
  Client client = fixture.client();
  const auto begin = monotonic_now();
  for (int i = 0; i < 200 && !client.closed; ++i) {
    client.send(i == 0 ? "GET / HTTP/1.1\r\nX: " : "a");
    client.receive([](const std::string&) { return false; }, 5ms);
  }
  CHECK(client.closed);
  CHECK(monotonic_now() - begin >= 80ms);
  CHECK(monotonic_now() - begin < 800ms);
}

TEST_CASE("http server: an idle connection and a peer that never reads end at their deadlines") {
  Fixture fixture(
      {.service = [](const HttpRequest&, HttpReply reply) { reply.send({.body = std::string(8 << 20, 'x')}); }},
      {.idle_deadline = 50ms, .write_deadline = 60ms});
  Client idle = fixture.client();
  CHECK(idle.until_closed().empty());
  CHECK(idle.closed);
  Client deaf = fixture.client();
  deaf.send(kGet);
  CHECK(fixture.server.connections() == 1);
  fixture.spin(200ms);
  CHECK(fixture.server.connections() == 0);
}

TEST_CASE("http server: one connection above the limit is told so, and others go on") {
  Fixture fixture({.service = echo}, {.connections = 2});
  Client one = fixture.client();
  Client two = fixture.client();
  one.send(kGet);
  two.send(kGet);
  one.until("GET /a");
  two.until("GET /a");
  Client three = fixture.client();
  CHECK(status_of(three.until_closed()) == 503);
  two.send(kGet);
  two.receive([](const std::string& got) { return got.find("GET /a") != got.rfind("GET /a"); });
  CHECK_FALSE(two.closed);
  one.close();
  fixture.spin(20ms);
  CHECK(status_of(fixture.ask(kLast)) == 200);
}

TEST_CASE("http server: a client that half-closes still gets its answer") {
  Fixture fixture({.service = echo});
  Client client = fixture.client();
  client.send(kGet);
  client.finish_sending();
  CHECK(status_of(client.until_closed()) == 200);
}

TEST_CASE("route table: 404 for an unknown path, 405 with Allow for a wrong method") {
  RouteTable routes({{"GET", "/failsafe", echo}, {"PUT", "/failsafe", echo}});
  Fixture fixture({.service = [&](const HttpRequest& request, HttpReply reply) { routes.serve(request, reply); }});
  CHECK(status_of(fixture.ask("GET /nothing HTTP/1.0\r\n\r\n")) == 404);
  const std::string wrong = fixture.ask("DELETE /failsafe HTTP/1.0\r\n\r\n");
  CHECK(status_of(wrong) == 405);
  CHECK(wrong.find("Allow: GET, PUT\r\n") != std::string::npos);
  CHECK(status_of(fixture.ask("PUT /failsafe HTTP/1.0\r\n\r\n")) == 200);
}
