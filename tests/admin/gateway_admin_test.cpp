#include "agent/admin/gateway_admin.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/admin/doubles.h"
#include "tests/admin/loopback.h"

using namespace lunar;
using namespace lunar::admin;
using namespace lunar::admin::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Fixture {
  explicit Fixture(std::string log = "") : loop(EventLoop::create().value()) {
    GatewayAdminOptions options{.version = "1.2.3",
                                .instance_id = "gateway-x",
                                .request_id_prefix = "r-",
                                .api_key = "key",
                                .access_log = {.path = log.empty() ? (directory.path / "access.log").string() : log},
                                .rings = {&ring, &other_ring}};
    admin = GatewayAdmin::create(loop, std::move(options), gateway).value();
    REQUIRE(admin->serve_internal(listen_unix(path("internal"))));
    REQUIRE(admin->serve_health(listen_unix(path("health"))));
    REQUIRE(admin->serve_metrics(listen_unix(path("metrics"))));
    REQUIRE(admin->serve_admin(listen_unix(path("admin"))));
  }
  [[nodiscard]] std::string path(const char* name) const { return directory.path / name; }
  std::string ask(const char* socket, const std::string& request) {
    Client client(loop, path(socket));
    client.send(request);
    return client.until_closed();
  }
  json get(const std::string& target) {
    return json::parse(body_of(ask("internal", "GET " + target + " HTTP/1.0\r\n\r\n")));
  }
  std::string log_text() {
    std::ifstream file(directory.path / "access.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Directory directory;
  EventLoop loop;
  GatewayDouble gateway;
  TransactionRing ring{16};
  TransactionRing other_ring{16};
  std::unique_ptr<GatewayAdmin> admin;
};

void push(TransactionRing& ring, std::string_view host, std::string_view path = "/p") {
  TransactionRecord* record = ring.claim();
  if (record == nullptr) return;
  record->request_number = 1;
  record->started_ns = static_cast<uint64_t>(monotonic_now().time_since_epoch().count());
  record->ended_ns = record->started_ns + 1'000'000;
  record->status = 200;
  record->set(TransactionText::method, "GET");
  record->set(TransactionText::host, host);
  record->set(TransactionText::path, path);
  ring.publish();
}

size_t lines_in(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("gateway admin: a record becomes a log line, a metric, a line of tail and a row of top") {
  Fixture fixture;
  push(fixture.ring, "a.example.com", "/v1?token=hunter2");
  push(fixture.other_ring, "b.example.com");
  const json top = fixture.get("/top?by=host");
  CHECK(top["rows"].size() == 2);
  const std::string tail = body_of(fixture.ask("internal", "GET /tail HTTP/1.0\r\n\r\n"));
  CHECK(lines_in(tail) == 2);
  CHECK(json::parse(tail.substr(0, tail.find('\n')))["host"] == "a.example.com");
  CHECK(fixture.ask("metrics", "GET /metrics HTTP/1.0\r\n\r\n").find("host=\"b.example.com\"") != std::string::npos);
  CHECK(status_of(fixture.ask("internal", "POST /logs/flush HTTP/1.0\r\n\r\n")) == 200);
  CHECK(lines_in(fixture.log_text()) == 2);
  CHECK(fixture.log_text().find("hunter2") == std::string::npos);
  CHECK(tail.find("hunter2") == std::string::npos);
}

TEST_CASE("gateway admin: records reach the file by themselves") {
  Fixture fixture;
  push(fixture.ring, "a.example.com");
  for (const auto end = monotonic_now() + 5s; fixture.log_text().empty() && monotonic_now() < end;)
    fixture.loop.run_once(10ms);
  CHECK(lines_in(fixture.log_text()) == 1);
}

TEST_CASE("gateway admin: what did not fit into a ring is reported by the next line") {
  Fixture fixture;
  for (int i = 0; i < 20; ++i) push(fixture.ring, "a.example.com");
  fixture.admin->finish();
  CHECK(lines_in(fixture.log_text()) == 16);
  CHECK(json::parse(fixture.log_text().substr(0, fixture.log_text().find('\n')))["lost"] == 4);
}

TEST_CASE("gateway admin: follows with filters, and the end of the gateway ends the stream") {
  Fixture fixture;
  push(fixture.ring, "before.example.com");
  Client client(fixture.loop, fixture.path("internal"));
  client.send("GET /tail?follow=1&n=0&host=example.com HTTP/1.0\r\n\r\n");
  client.until("\r\n\r\n");
  push(fixture.ring, "other.test");
  push(fixture.ring, "notexample.com");
  push(fixture.ring, "api.example.com");
  client.until("\"host\":\"api.example.com\"");
  const std::string lines = body_of(client.received);
  CHECK(lines_in(lines) == 1);
  CHECK_FALSE(client.closed);
  fixture.admin->finish();
  client.until_closed();
  CHECK(client.closed);
}

TEST_CASE("gateway admin: the log is reopened on demand") {
  Fixture fixture;
  push(fixture.ring, "a.example.com");
  REQUIRE(status_of(fixture.ask("internal", "POST /logs/flush HTTP/1.0\r\n\r\n")) == 200);
  std::filesystem::rename(fixture.directory.path / "access.log", fixture.directory.path / "moved");
  REQUIRE(status_of(fixture.ask("internal", "POST /logs/reopen HTTP/1.0\r\n\r\n")) == 200);
  push(fixture.ring, "b.example.com");
  fixture.admin->finish();
  CHECK(lines_in(fixture.log_text()) == 1);
  CHECK(fixture.log_text().find("b.example.com") != std::string::npos);
}

TEST_CASE("gateway admin: a full disk is told to who asks, and traffic records go on") {
  Fixture fixture("/dev/full");
  push(fixture.ring, "a.example.com");
  const std::string answer = fixture.ask("internal", "POST /logs/flush HTTP/1.0\r\n\r\n");
  CHECK(status_of(answer) == 500);
  CHECK(answer.find("dropped and counted") != std::string::npos);
  push(fixture.ring, "b.example.com");
  CHECK(fixture.get("/top?by=host")["rows"].size() == 2);
}

TEST_CASE("gateway admin: the TCP rules hold for every route, the handshake included") {
  Fixture fixture;
  for (const char* route : {"/handshake", "/status", "/nothing"}) {
    CAPTURE(route);
    const std::string refused = fixture.ask("admin", std::string("GET ") + route + " HTTP/1.0\r\n\r\n");
    CHECK(status_of(refused) == 401);
    CHECK(refused.find("WWW-Authenticate: Bearer\r\n") != std::string::npos);
  }
  const auto with_key = [&](const std::string& request) {
    return fixture.ask(
        "admin", request + " HTTP/1.0\r\nAuthorization: Bearer key\r\nContent-Length: 17\r\n\r\n{\"mode\":\"bypass\"}");
  };
  CHECK(body_of(with_key("GET /handshake")) == "{\"managed\":false}\n");
  CHECK(status_of(with_key("GET /nothing")) == 404);
  CHECK(status_of(with_key("POST /status")) == 405);
  CHECK(status_of(with_key("POST /apply_policies")) == 410);
  CHECK(status_of(with_key("PUT /failsafe")) == 200);
  REQUIRE(fixture.gateway.modes.size() == 1);
  CHECK(fixture.gateway.modes[0] == FailsafeMode::bypass);
}

TEST_CASE("gateway admin: works over TCP as well") {
  Fixture fixture;
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 8) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  REQUIRE(fixture.admin->serve_health(std::move(listener)));
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::string_view request = "GET /healthcheck HTTP/1.0\r\n\r\n";
  REQUIRE(::send(client.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  std::string answer;
  for (const auto end = monotonic_now() + 5s; monotonic_now() < end;) {
    fixture.loop.run_once(1ms);
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count == 0) break;
    if (count > 0) answer.append(buffer.data(), static_cast<size_t>(count));
  }
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "proxy is up");
}

TEST_CASE("gateway admin: health routes and methods") {
  Fixture fixture;
  CHECK(status_of(fixture.ask("health", "GET /healthz HTTP/1.0\r\n\r\n")) == 200);
  CHECK(status_of(fixture.ask("health", "GET /readyz HTTP/1.0\r\n\r\n")) == 200);
  CHECK(status_of(fixture.ask("health", "POST /healthz HTTP/1.0\r\n\r\n")) == 405);
  CHECK(status_of(fixture.ask("health", "GET /other HTTP/1.0\r\n\r\n")) == 404);
  CHECK(status_of(fixture.ask("health", "POST /healthz HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")) == 413);
  fixture.gateway.state.serving = false;
  CHECK(status_of(fixture.ask("health", "GET /healthcheck HTTP/1.0\r\n\r\n")) == 503);
}

TEST_CASE("gateway admin: status tells connections, workers and failsafe") {
  Fixture fixture;
  const json status = fixture.get("/status");
  CHECK(status["open_connections"] == 3);
  CHECK(status["max_connections"] == 100);
  CHECK(status["workers"][0]["alive"] == true);
  CHECK(status["workers"][0]["heartbeat_age_ms"] == 12);
  CHECK(status["failsafe"]["state"] == "protecting");
  CHECK(fixture.get("/doctor")["is_streams_enabled"] == true);
}
