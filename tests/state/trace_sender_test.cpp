#include "agent/state/trace_sender.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "flowengine/expr/json.h"
#include "tests/state/trace_collector.h"

using namespace lunar;
using namespace std::chrono_literals;

namespace {

emission::Span a_span(const std::string& name = "GET api.example.com/a") {
  emission::Span span;
  span.trace_id = "0af7651916cd43dd8448eb211c80319c";
  span.span_id = "b7ad6b7169203331";
  span.name = name;
  span.method = "GET";
  span.url = "https://api.example.com/a";
  span.status = 200;
  span.begin = WallTime(1'749'556'800'123ms);
  span.end = WallTime(1'749'556'800'373ms);
  span.latency = 250ms;
  return span;
}

Json read_span(const emission::Span& span) {
  const Json body = Json::parse(otlp_json({&span, 1}, {"gateway-x", "1.2.3"}));
  return body.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0);
}

Json attribute(const Json& attributes, const std::string& key) {
  for (const Json& one : attributes)
    if (one.at("key") == key) return one.at("value");
  return nullptr;
}

// A sender whose collector is at one of `addresses`, which the test may change.
struct Scene {
  Scene() : loop(*EventLoop::create()) {}
  [[nodiscard]] TraceSenderOptions options() const {
    return {.endpoint = "http://otel.example.com:4318/v1/traces",
            .resource = {"gateway-x", "1.2.3"},
            .flush_interval = 5ms,
            .timeout = 10s};
  }
  [[nodiscard]] TraceSender::Resolve resolve() {
    return [this](const std::string& host, uint16_t port, const TraceSender::Resolved& done) {
      ++lookups;
      CHECK(host == "otel.example.com");
      CHECK(port == 4318);
      done(addresses);
    };
  }
  EventLoop loop;
  std::vector<Endpoint> addresses;
  int lookups = 0;
};

size_t spans_in(const CollectedRequest& request) {
  return Json::parse(request.body).at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").size();
}

// An address at which nobody listens.
Endpoint nowhere() {
  EventLoop loop = *EventLoop::create();
  return TraceCollector(loop).at();
}

}  // namespace

TEST_CASE("OTLP: a span has the members that the protocol names, ids in hex, times as texts") {
  emission::Span span = a_span();
  span.parent_id = "00f067aa0ba902b7";
  span.attributes = {{"tenant", "shop"}};
  const Json body = Json::parse(otlp_json({&span, 1}, {"gateway-x", "1.2.3"}));
  const Json& resource = body.at("resourceSpans").at(0);
  CHECK(attribute(resource.at("resource").at("attributes"), "service.name").at("stringValue") == "lunar-gateway");
  CHECK(attribute(resource.at("resource").at("attributes"), "service.instance.id").at("stringValue") == "gateway-x");
  CHECK(resource.at("scopeSpans").at(0).at("scope").at("name") == "lunar");
  const Json& out = resource.at("scopeSpans").at(0).at("spans").at(0);
  CHECK(out.at("traceId") == "0af7651916cd43dd8448eb211c80319c");
  CHECK(out.at("spanId") == "b7ad6b7169203331");
  CHECK(out.at("parentSpanId") == "00f067aa0ba902b7");
  CHECK(out.at("name") == "GET api.example.com/a");
  CHECK(out.at("kind") == 3);
  CHECK(out.at("startTimeUnixNano") == "1749556800123000000");
  CHECK(out.at("endTimeUnixNano") == "1749556800373000000");
  CHECK(attribute(out.at("attributes"), "http.method").at("stringValue") == "GET");
  CHECK(attribute(out.at("attributes"), "http.url").at("stringValue") == "https://api.example.com/a");
  CHECK(attribute(out.at("attributes"), "http.status_code").at("intValue") == "200");
  CHECK(attribute(out.at("attributes"), "latency").at("doubleValue") == 250.0);
  CHECK(attribute(out.at("attributes"), "tenant").at("stringValue") == "shop");
  CHECK(out.at("status") == Json::object());
}

TEST_CASE("OTLP: status is an error from 400 on; without a response there is no code") {
  emission::Span span = a_span();
  span.status = 399;
  CHECK_FALSE(read_span(span).at("status").contains("code"));
  span.status = 400;
  CHECK(read_span(span).at("status").at("code") == 2);
  span.status = 0;
  CHECK(attribute(read_span(span).at("attributes"), "http.status_code") == nullptr);
  CHECK_FALSE(read_span(span).contains("parentSpanId"));
  span.url = "https://a/\xff";
  CHECK(attribute(read_span(span).at("attributes"), "http.url").at("stringValue") == "https://a/\uFFFD");
}

TEST_CASE("trace sender: spans of one interval are one request, sent when it is over and not before") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  auto options = scene.options();
  options.flush_interval = 200ms;
  TraceSender sender(scene.loop, options, scene.resolve());
  const MonotonicTime begun = monotonic_now();
  sender.add(a_span());
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(monotonic_now() - begun >= 200ms);
  REQUIRE(collector.requests().size() == 1);
  const CollectedRequest& request = collector.requests()[0];
  CHECK(request.head.starts_with("POST /v1/traces HTTP/1.1\r\nHost: otel.example.com:4318\r\n"));
  CHECK(request.head.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(spans_in(request) == 2);
  CHECK(sender.counts().sent == 2);
  CHECK(sender.counts().dropped == 0);
}

TEST_CASE("trace sender: keeps its connection, and looks the name up for a new one only") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  for (int i = 0; i < 3; ++i) {
    sender.add(a_span());
    run_until(scene.loop, [&] { return sender.idle(); });
  }
  CHECK(collector.requests().size() == 3);
  CHECK(collector.connections() == 1);
  CHECK(scene.lookups == 1);
}

TEST_CASE("trace sender: a connection that the collector closed is replaced, and nothing is lost") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  collector.close_connections();
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(sender.counts().sent == 2);
  CHECK(collector.connections() == 2);
}

TEST_CASE("trace sender: answers of every framing end an exchange") {
  const char* answers[] = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
      "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{}",
  };
  for (const char* answer : answers) {
    CAPTURE(answer);
    Scene scene;
    TraceCollector collector(scene.loop, [&](size_t) { return std::string(answer); });
    scene.addresses = {collector.at()};
    TraceSender sender(scene.loop, scene.options(), scene.resolve());
    for (int i = 0; i < 2; ++i) {
      sender.add(a_span());
      run_until(scene.loop, [&] { return sender.idle(); });
    }
    CHECK(sender.counts().sent == 2);
    CHECK(sender.counts().dropped == 0);
  }
}

TEST_CASE("trace sender: a batch that failed is sent once more, on a fresh connection") {
  for (const char* fault : {"close", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "no HTTP at all\r\n\r\n"}) {
    CAPTURE(fault);
    Scene scene;
    TraceCollector collector(scene.loop, [&](size_t number) { return number == 1 ? fault : TraceCollector::ok; });
    scene.addresses = {collector.at()};
    TraceSender sender(scene.loop, scene.options(), scene.resolve());
    sender.add(a_span());
    run_until(scene.loop, [&] { return sender.idle(); });
    CHECK(collector.requests().size() == 2);
    CHECK(collector.requests()[0].body == collector.requests()[1].body);
    CHECK(collector.connections() == 2);
    CHECK(sender.counts().sent == 1);
  }
}

TEST_CASE("trace sender: a batch that failed twice is dropped and counted, and the next one is tried") {
  Scene scene;
  TraceCollector collector(scene.loop, [](size_t number) { return number <= 2 ? "close" : TraceCollector::ok; });
  scene.addresses = {collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  sender.add(a_span());
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(collector.requests().size() == 2);
  CHECK(sender.counts().dropped == 2);
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(sender.counts().sent == 1);
}

TEST_CASE("trace sender: a batch that is not wanted is not sent again") {
  Scene scene;
  TraceCollector collector(scene.loop, [](size_t) { return "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"; });
  scene.addresses = {collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(collector.requests().size() == 1);
  CHECK(sender.counts().dropped == 1);
}

TEST_CASE("trace sender: the second attempt takes another address") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {nowhere(), collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(sender.counts().sent == 1);
}

TEST_CASE("trace sender: a collector that is silent costs the batch after the timeout") {
  Scene scene;
  TraceCollector collector(scene.loop, [](size_t) { return ""; });
  scene.addresses = {collector.at()};
  auto options = scene.options();
  options.timeout = 50ms;
  TraceSender sender(scene.loop, options, scene.resolve());
  const MonotonicTime begun = monotonic_now();
  sender.add(a_span());
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(monotonic_now() - begun >= 100ms);
  CHECK(sender.counts().dropped == 1);
}

TEST_CASE("trace sender: an unknown name, and a lookup that never ends, cost the batch") {
  Scene scene;
  TraceSender unknown(scene.loop, scene.options(), scene.resolve());
  unknown.add(a_span());
  run_until(scene.loop, [&] { return unknown.idle(); });
  CHECK(unknown.counts().dropped == 1);

  auto options = scene.options();
  options.timeout = 20ms;
  std::vector<TraceSender::Resolved> pending;
  TraceCollector collector(scene.loop);
  {
    TraceSender stuck(scene.loop, options,
                      [&](const std::string&, uint16_t, TraceSender::Resolved done) { pending.push_back(done); });
    stuck.add(a_span());
    run_until(scene.loop, [&] { return stuck.idle(); });
    CHECK(stuck.counts().dropped == 1);
    REQUIRE(pending.size() == 2);
    pending[0]({collector.at()});  // too late: ignored
    run_for(scene.loop, 20ms);
    CHECK(collector.requests().empty());
  }
  pending[1]({collector.at()});  // the sender has gone
}

TEST_CASE(
    "trace sender: spans for a text that is no URL, or for https where there is no TLS, are dropped and counted") {
  for (const char* endpoint : {"https://otel.example.com/v1/traces", "otel.example.com:4318", "ftp://otel.example.com/",
                               "http://otel example.com/"}) {
    CAPTURE(endpoint);
    Scene scene;
    auto options = scene.options();
    options.endpoint = endpoint;
    TraceSender sender(scene.loop, options, scene.resolve());
    sender.add(a_span());
    CHECK(sender.idle());
    CHECK(sender.counts().dropped == 1);
    CHECK(sender.counts().unsupported == 1);
    CHECK(scene.lookups == 0);
  }
}

TEST_CASE("trace sender: spans with large texts are bounded by what they take, and room comes back") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  auto options = scene.options();
  options.flush_interval = 1h;
  options.buffer_bytes = 100'000;
  TraceSender sender(scene.loop, options, scene.resolve());
  emission::Span large = a_span();
  large.attributes = {{"asked", std::string(40'000, 'x')}};
  for (int i = 0; i < 3; ++i) sender.add(large);
  CHECK(sender.unsent() == 2);
  CHECK(sender.counts().dropped == 1);
  sender.add(a_span());
  CHECK(sender.unsent() == 3);
  sender.flush();
  run_until(scene.loop, [&] { return sender.idle(); });
  for (int i = 0; i < 2; ++i) sender.add(large);
  CHECK(sender.unsent() == 2);
  CHECK(sender.counts().dropped == 1);
}

TEST_CASE("trace sender: a full buffer drops, batches are bounded, and a full batch does not wait") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  auto options = scene.options();
  options.flush_interval = 1h;
  options.batch = 2;
  options.buffer = 5;
  TraceSender sender(scene.loop, options, scene.resolve());
  for (int i = 0; i < 7; ++i) sender.add(a_span());
  CHECK(sender.counts().dropped == 2);
  run_until(scene.loop, [&] { return sender.counts().sent == 4; });
  run_for(scene.loop, 20ms);
  CHECK(collector.requests().size() == 2);
  CHECK_FALSE(sender.idle());
  sender.flush();
  run_until(scene.loop, [&] { return sender.idle(); });
  CHECK(sender.counts().sent == 5);
}

TEST_CASE("trace sender: a large batch goes out in pieces") {
  Scene scene;
  TraceCollector collector(scene.loop);
  scene.addresses = {collector.at()};
  TraceSender sender(scene.loop, scene.options(), scene.resolve());
  for (int i = 0; i < 500; ++i) sender.add(a_span(std::string(20'000, 'x')));
  run_until(scene.loop, [&] { return sender.idle(); });
  REQUIRE(collector.requests().size() == 1);
  CHECK(spans_in(collector.requests()[0]) == 500);
}
