// Spans to a collector that speaks TLS, through the engine of agent/net.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "agent/collector_tls.h"
#include "agent/state/trace_sender.h"
#include "tests/net/tls_ends.h"
#include "tests/state/log_lines.h"
#include "tests/state/trace_collector.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

using test::world;

std::string answer_ok(size_t /*number*/) { return TraceCollector::ok; }

// A collector with the certificate of api.example.com, and what a sender needs to reach it by that name or another.
struct SecureScene {
  explicit SecureScene(TraceCollector::Script script = answer_ok, TlsVersions versions = {},
                       std::shared_ptr<const TlsCredentials> credentials = world().credentials)
      : loop(*EventLoop::create()),
        server(world().server_context(versions)),
        shown(std::move(credentials)),
        collector(loop, std::move(script), [this] {
          auto engine = server.accept({"api.example.com", shown, "http/1.1"});
          REQUIRE(engine);
          return std::move(*engine);
        }) {}

  [[nodiscard]] TraceSenderOptions options(const std::string& host = "api.example.com") const {
    return {.endpoint = "https://" + host + ":4318/v1/traces",
            .open_channel = [this](const std::string& name,
                                   uint16_t port) { return open_collector_channel(*client, name, port); },
            .flush_interval = 0ms,
            .timeout = 10s};
  }
  [[nodiscard]] TraceSender::Resolve resolve() const {
    return [this](const std::string&, uint16_t, const TraceSender::Resolved& done) { done({collector.at()}); };
  }
  // One span, and what became of it.
  void send(TraceSender& sender, size_t text = 10) {
    sender.add({.name = std::string(text, 'n'), .method = "GET", .url = "http://a/", .status = 200});
    run_until(loop, [&] { return sender.idle(); });
  }

  EventLoop loop;
  TlsServerContext server;
  std::shared_ptr<const TlsCredentials> shown;
  std::shared_ptr<const TlsClientContext> client = std::make_shared<const TlsClientContext>(world().client_context());
  TraceCollector collector;
};

std::shared_ptr<const TlsClientContext> client_with(const TlsClientContext::Settings& settings) {
  auto made = TlsClientContext::create(settings);
  REQUIRE(made);
  return std::make_shared<const TlsClientContext>(*std::move(made));
}

}  // namespace

TEST_CASE("trace sender: https goes out encrypted, in both versions of TLS, over one connection that is kept") {
  for (const TlsVersions versions : {test::only_1_2, test::only_1_3}) {
    CAPTURE(static_cast<int>(versions.highest));
    SecureScene scene(answer_ok, versions);
    {
      TraceSender sender(scene.loop, scene.options(), scene.resolve());
      for (int i = 0; i < 3; ++i) scene.send(sender);
      CHECK(sender.counts().sent == 3);
      CHECK(sender.counts().dropped == 0);
    }
    REQUIRE(scene.collector.requests().size() == 3);
    CHECK(scene.collector.requests()[0].head.starts_with("POST /v1/traces HTTP/1.1\r\nHost: api.example.com:4318\r\n"));
    CHECK(scene.collector.requests()[2].body.find("nnnnnnnnnn") != std::string::npos);
    CHECK(scene.collector.connections() == 1);
    run_until(scene.loop, [&] { return scene.collector.orderly_ends() == 1; });
  }
}

TEST_CASE("trace sender: over TLS answers are read however they are cut, and large batches are sent") {
  for (const char* answer :
       {TraceCollector::ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}) {
    CAPTURE(answer);
    SecureScene scene([answer](size_t) { return std::string(answer); });
    scene.collector.cut_answers(1);
    TraceSender sender(scene.loop, scene.options(), scene.resolve());
    scene.send(sender);
    scene.send(sender, 5 * 1024 * 1024);
    CHECK(sender.counts().sent == 2);
    CHECK(scene.collector.connections() == 1);
    CHECK(scene.collector.requests()[1].body.size() > 5 * 1024 * 1024);
  }
}

TEST_CASE("trace sender: an answer over TLS may be what is there when the connection ends") {
  SecureScene scene([](size_t) { return "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{}"; });
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  for (int i = 0; i < 2; ++i) scene.send(sender);
  CHECK(sender.counts().sent == 2);
  CHECK(scene.collector.connections() == 2);
}

TEST_CASE("trace sender: a TLS connection that ends between two batches is replaced, and nothing is lost") {
  SecureScene scene;
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  scene.send(sender);
  scene.collector.close_connections();
  scene.send(sender);
  CHECK(sender.counts().sent == 2);
  CHECK(scene.collector.connections() == 2);
}

TEST_CASE("trace sender: a certificate that is not accepted gets no span, and one line says why and what to do") {
  struct Row {
    std::string_view host;
    std::shared_ptr<const TlsCredentials> shown;
    std::shared_ptr<const TlsClientContext> client;  // null: the usual one
    std::string_view reason;
  };
  const auto expired =
      test::issue({.common_name = "api", .alternative_names = "DNS:api.example.com", .ends = -60s}, &world().authority)
          .credentials();
  const Row rows[] = {
      {"other.example.com", world().credentials, nullptr, "other.example.com: hostname mismatch"},
      {"198.18.0.1", world().credentials, nullptr, "198.18.0.1: IP address mismatch"},
      {"api.example.com", expired, nullptr, "api.example.com: certificate has expired"},
      {"api.example.com", world().credentials, client_with({}),
       "api.example.com: unable to get local issuer certificate"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    SecureScene scene(answer_ok, {}, row.shown);
    if (row.client) scene.client = row.client;
    const LogLines log;
    TraceSender sender(scene.loop, scene.options(std::string(row.host)), scene.resolve());
    for (int i = 0; i < 2; ++i) scene.send(sender);
    CHECK(sender.counts().dropped == 2);
    CHECK(scene.collector.requests().empty());
    CAPTURE(log.text());
    CHECK(log.count("traces cannot be sent to https://" + std::string(row.host) +
                    ":4318/v1/traces: its certificate is not accepted: " + std::string(row.reason)) == 1);
    CHECK(log.count("named as `ca` in provider_tls of gateway_config.yaml") == 1);
    CHECK(log.count("\n") == 1);
  }
}

TEST_CASE("trace sender: where certificates need not be valid, they are not looked at") {
  SecureScene scene;
  scene.client = client_with({.roots = {}, .verify = false});
  TraceSender sender(scene.loop, scene.options("other.example.com"), scene.resolve());
  scene.send(sender);
  CHECK(sender.counts().sent == 1);
}

TEST_CASE("trace sender: a handshake that fails, ends or never comes to an end costs the batch") {
  SUBCASE("no common version") {
    SecureScene scene(answer_ok, test::only_1_2);
    scene.client = std::make_shared<const TlsClientContext>(world().client_context(test::only_1_3));
    const LogLines log;
    TraceSender sender(scene.loop, scene.options(), scene.resolve());
    scene.send(sender);
    CHECK(sender.counts().dropped == 1);
    CHECK(log.count(": TLS failed: ") == 1);
  }
  SUBCASE("silence") {
    SecureScene scene;
    const TraceCollector silent(scene.loop);  // waits for a request that can be read
    auto options = scene.options();
    options.timeout = 30ms;
    const LogLines log;
    TraceSender sender(scene.loop, options,
                       [&](const std::string&, uint16_t, const TraceSender::Resolved& done) { done({silent.at()}); });
    scene.send(sender);
    CHECK(sender.counts().dropped == 1);
    CHECK(log.count(": no answer in time; ") == 1);
  }
  SUBCASE("no TLS can be made, and then it can") {
    SecureScene scene;
    auto options = scene.options();
    bool readable = false;
    options.open_channel = [&](const std::string& host, uint16_t port) -> Result<std::unique_ptr<SecureChannel>> {
      if (!readable) return fail("/certs/ca.pem cannot be read");
      return open_collector_channel(*scene.client, host, port);
    };
    const LogLines log;
    TraceSender sender(scene.loop, options, scene.resolve());
    scene.send(sender);
    CHECK(sender.counts().dropped == 1);
    CHECK(log.count(": /certs/ca.pem cannot be read; ") == 1);
    readable = true;
    scene.send(sender);
    CHECK(sender.counts().sent == 1);
  }
}
