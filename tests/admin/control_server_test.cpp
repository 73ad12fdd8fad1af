#include "agent/admin/control_server.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "agent/admin/doctor_report.h"
#include "agent/admin/gateway_admin.h"
#include "tests/admin/doubles.h"
#include "tests/admin/loopback.h"

using namespace lunar;
using namespace lunar::admin;
using namespace lunar::admin::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Fixture {
  Fixture() : loop(EventLoop::create().value()) {
    server = ControlServer::create(loop, listen_unix(path("control")), host, path("internal")).value();
  }
  // The gateway process, which has a loop of its own in reality.
  void start_gateway() {
    admin = GatewayAdmin::create(
                loop, {.version = "1", .instance_id = "g", .access_log = {.path = ""}, .rings = {&ring}}, gateway)
                .value();
    REQUIRE(admin->serve_internal(listen_unix(path("internal"))));
  }
  [[nodiscard]] std::string path(const char* name) const { return directory.path / name; }
  std::string ask(const std::string& head, const std::string& body = "") {
    Client client(loop, path("control"));
    client.send(head + " HTTP/1.0\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.until_closed();
  }

  Directory directory;
  EventLoop loop;
  HostDouble host;
  GatewayDouble gateway;
  TransactionRing ring{16};
  std::unique_ptr<ControlServer> server;
  std::unique_ptr<GatewayAdmin> admin;
};

}  // namespace

TEST_CASE("control server: attaches, lists and detaches") {
  Fixture fixture;
  const std::string attached = fixture.ask("POST /attach", R"({"target":"shop.service","netns":true})");
  CHECK(status_of(attached) == 200);
  CHECK(json::parse(body_of(attached))["state"] == "captured");
  const json list = json::parse(body_of(fixture.ask("GET /attachments")));
  CHECK(list["attachments"][0]["target"] == "shop.service");
  CHECK(list["attachments"][0]["netns"] == true);
  CHECK(status_of(fixture.ask("POST /detach", R"({"target":"shop.service"})")) == 200);
  CHECK(fixture.host.detached.size() == 1);
}

TEST_CASE("control server: refusals carry the reason and a fitting status") {
  Fixture fixture;
  const std::string missing = fixture.ask("POST /attach", R"({"target":"missing.service"})");
  CHECK(status_of(missing) == 404);
  CHECK(json::parse(body_of(missing))["error"] == "no cgroup is called missing.service; start it first");
  CHECK(status_of(fixture.ask("POST /attach", "not json")) == 400);
  CHECK(status_of(fixture.ask("GET /attach")) == 405);
  CHECK(status_of(fixture.ask("PUT /failsafe", R"({"mode":"off"})")) == 400);
  CHECK(status_of(fixture.ask("GET /doctor?pid=x")) == 400);
  const std::string reload = fixture.ask("POST /reload");
  CHECK(status_of(reload) == 400);
  CHECK(reload.find("bad regex") != std::string::npos);
}

TEST_CASE("control server: the operator sets the failsafe") {
  Fixture fixture;
  CHECK(json::parse(body_of(fixture.ask("PUT /failsafe", R"({"mode":"bypass"})")))["state"] == "bypass");
  CHECK(json::parse(body_of(fixture.ask("PUT /failsafe", R"({"mode":"auto"})")))["state"] == "protecting");
  CHECK(fixture.host.modes == std::vector{FailsafeMode::bypass, FailsafeMode::automatic});
}

TEST_CASE("control server: a restart is answered when it is done, and others are served meanwhile") {
  Fixture fixture;
  Client client(fixture.loop, fixture.path("control"));
  client.send("POST /restart HTTP/1.0\r\n\r\n");
  CHECK(status_of(fixture.ask("GET /attachments")) == 200);
  REQUIRE(fixture.host.pending);
  CHECK(client.receive([](const std::string&) { return true; }).empty());
  fixture.host.pending(json{{"msg", "replaced"}});
  CHECK(body_of(client.until_closed()) == "{\"msg\":\"replaced\"}\n");
}

TEST_CASE("control server: status joins what supervisor and gateway know") {
  Fixture fixture;
  fixture.start_gateway();
  const json status = json::parse(body_of(fixture.ask("GET /status")));
  CHECK(status["version"] == "9.9.9");
  CHECK(status["attachments"].is_array());
  CHECK(status["gateway"]["max_connections"] == 100);
}

TEST_CASE("control server: without a gateway process it answers at once and says so") {
  Fixture fixture;
  const auto begin = monotonic_now();
  const json status = json::parse(body_of(fixture.ask("GET /status")));
  CHECK(status["failsafe"]["state"] == "protecting");
  CHECK(status["gateway"]["error"].get<std::string>().find("does not run") != std::string::npos);
  CHECK(status_of(fixture.ask("GET /top")) == 503);
  CHECK(monotonic_now() - begin < 500ms);
}

TEST_CASE("control server: a gateway that hangs costs a second, and the supervisor's verbs none") {
  Fixture fixture;
  const Fd hung = listen_unix(fixture.path("internal"));
  Client asking(fixture.loop, fixture.path("control"));
  const auto begin = monotonic_now();
  asking.send("GET /top HTTP/1.0\r\n\r\n");
  CHECK(status_of(fixture.ask("PUT /failsafe", R"({"mode":"bypass"})")) == 200);
  CHECK(monotonic_now() - begin < 500ms);
  const std::string& answer = asking.until_closed();
  CHECK(monotonic_now() - begin >= 1s);
  CHECK(monotonic_now() - begin < 2s);
  CHECK(status_of(answer) == 503);
  CHECK(answer.find("does not answer") != std::string::npos);
}

TEST_CASE("control server: a hung gateway whose queue is full is reported, not waited for") {
  Fixture fixture;
  const Fd hung = listen_unix(fixture.path("internal"), 0);
  std::vector<Fd> waiting;
  const sockaddr_un address = unix_address(fixture.path("internal"));
  for (int i = 0; i < 8; ++i) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  const std::string answer = fixture.ask("GET /handshake");
  CHECK(status_of(answer) == 503);
  CHECK(answer.find("does not answer") != std::string::npos);
}

TEST_CASE("control server: passes a followed tail through, as it comes, and ends it with the client") {
  Fixture fixture;
  fixture.start_gateway();
  {
    Client client(fixture.loop, fixture.path("control"));
    client.send("GET /tail?follow=1&n=0 HTTP/1.1\r\nHost: x\r\n\r\n");
    client.until("\r\n\r\n");
    CHECK(client.received.find("application/x-ndjson") != std::string::npos);
    for (int i = 0; i < 3; ++i) {
      TransactionRecord* record = fixture.ring.claim();
      REQUIRE(record != nullptr);
      record->set(TransactionText::host, "host" + std::to_string(i));
      fixture.ring.publish();
      client.until("\"host\":\"host" + std::to_string(i) + "\"");
    }
    CHECK_FALSE(client.closed);
  }
  CHECK(status_of(fixture.ask("GET /handshake")) == 200);
}

TEST_CASE("doctor: its frame masks keys and passwords") {
  CHECK(masked("LUNAR_API_KEY", "abc") == "********");
  CHECK(masked("REDIS_URL", "redis://user:pass@store.example.com:6379/0") ==
        "redis://********@store.example.com:6379/0");
  CHECK(masked("REDIS_URL", "redis://store.example.com:6379") == "redis://store.example.com:6379");
  CHECK(masked("LOG_LEVEL", "debug") == "debug");
  Fixture fixture;
  const json report = json::parse(body_of(fixture.ask("GET /doctor?unit=shop.service")));
  CHECK(report["checks"][0]["text"] == "fine shop.service");
  CHECK(report["failsafe"]["state"] == "protecting");
  CHECK(report["run_at"].get<std::string>().ends_with("Z"));
}

TEST_CASE("control server: what is asked about the configuration reaches the supervisor with its body and asker") {
  Fixture fixture;
  CHECK(status_of(fixture.ask("PUT /apply_flows", "{}")) == 400);
  CHECK(status_of(fixture.ask("POST /configuration", "x")) == 400);
  CHECK(status_of(fixture.ask("POST /validate_flows", "y")) == 400);
  CHECK(status_of(fixture.ask("POST /load_flows")) == 400);
  CHECK(status_of(fixture.ask("POST /apply_flows", "{}")) == 405);
  using Verb = ConfigurationRequest::Verb;
  REQUIRE(fixture.host.requests.size() == 4);
  const std::vector<std::pair<Verb, std::string>> expected{
      {Verb::apply, "{}"}, {Verb::operate, "x"}, {Verb::check, "y"}, {Verb::load, ""}};
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(fixture.host.requests[i].verb == expected[i].first);
    CHECK(fixture.host.requests[i].body == expected[i].second);
    CHECK(fixture.host.requests[i].asked_by.starts_with("uid "));
  }
}

TEST_CASE("control server: the doctor shows what the gateway has loaded, and goes without where there is none") {
  Fixture fixture;
  CHECK(json::parse(body_of(fixture.ask("GET /doctor")))["loaded_streams_config"]["data"].empty());
  fixture.start_gateway();
  const json report = json::parse(body_of(fixture.ask("GET /doctor")));
  CHECK(report["loaded_streams_config"]["data"][0]["file_name"] == "a.yaml");
  CHECK(report["checks"].size() == 1);
}
