// Bodies under flows (flows.md §5.3 and §6.7): what is held, what is copied, what flows see and what goes out.
#include <doctest/doctest.h>

#include <cstdio>
#include <future>

#include "tests/gateway/flow_gateway.h"

using namespace lunar;
using namespace lunar::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view plain = R"({"kind":"a"})";
constexpr std::string_view coded =  // the same in gzip
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\xce\xcc\x4b\x51\xb2\x52\x4a\x54\xaa\x05\x00\x9d\x4e\x7f\xf8"
    "\x0c\x00\x00\x00"sv;
constexpr std::string_view coded_long =  // {"kind":"a","pad":"xxx…"}, 3,021 bytes, in gzip
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\xce\xcc\x4b\x51\xb2\x52\x4a\x54\xd2\x51\x2a\x48\x04\xb1\x2a"
    "\x46\xc1\x28\x18\x05\xa3\x60\x14\x8c\x82\x51\x30\x0a\x46\xc1\x28\x18\x05\x83\x1e\x28\xd5\x02\x00\x64\x71\xea\x91"
    "\xcd\x0b\x00\x00"sv;
constexpr std::string_view gzipped = "Content-Encoding: gzip\r\n";

std::string padded(size_t bytes) {
  const std::string around = R"({"kind":"a","pad":""})";
  return R"({"kind":"a","pad":")" + std::string(bytes - around.size(), 'x') + "\"}";
}

std::string chunked(std::string_view body) {
  std::string out = "3\r\n";
  out.append(body.substr(0, 3)).append("\r\n");
  char size[16];
  out.append(size, static_cast<size_t>(std::snprintf(size, sizeof size, "%zx", body.size() - 3)));
  return out.append("\r\n").append(body.substr(3)).append("\r\n0\r\n\r\n");
}

// Looks into the bodies of both directions, and says in `x-view` what it saw there: the kind `a`, or none.
FlowScene looking() {
  FlowScene scene;
  const std::string entries = "{processor: Filter, parameters: [{key: expressions, value: [{key: $.request.body.kind, ";
  const std::string of_response = "}, {key: $.response.body.kind, ";
  scene.flow(flow_with(
      "Look", "{url: \"127.0.0.1/*\"}",
      "{Is: " + entries + "value: a" + of_response + "value: a}]}]}, Lacks: " + entries + "operation: not_exists" +
          of_response + "operation: not_exists}]}]}, " + setting("AskA", "request.headers.x-view", "a") +
          setting("AskNone", "request.headers.x-view", "none") + setting("SayA", "response.headers.x-view", "a") +
          setting("SayNone", "response.headers.x-view", "none") + "}",
      "[" + edge("start", "Is") + ", " + edge("Is:hit", "AskA") + ", " + edge("start", "Lacks") + ", " +
          edge("Lacks:hit", "AskNone") + "]",
      "[" + edge("start", "Is") + ", " + edge("Is:hit", "SayA") + ", " + edge("start", "Lacks") + ", " +
          edge("Lacks:hit", "SayNone") + "]"));
  return scene;
}

// Watches responses without holding them.
FlowScene watching() {
  FlowScene scene;
  scene.flow(flow_with("Watch", "{url: \"127.0.0.1/*\"}",
                       "{Har: {processor: HARCollector, parameters: [{key: exporter_id, value: file}]}, "
                       "Spent: {processor: UserDefinedMetrics, parameters: [{key: metric_name, value: spent}, "
                       "{key: metric_value, value: $.response.usage.total_tokens}]}}",
                       "", "[" + edge("start", "Har") + ", " + edge("Har", "Spent") + "]"));
  return scene;
}

FlowGateway::Parts limited_to(uint64_t bytes) {
  return {.adjust = [bytes](LunardConfig& config) { config.flows.body_limit = bytes; }, .domains = {}, .scripts = {}};
}

// What both directions made of one body that was sent through `gateway` and back.
struct Passage {
  Received request, answer;
  std::string skipped;
};

Passage pass(FlowScene scene, FlowGateway::Parts parts, std::string_view body, std::string_view fields) {
  AnsweringProvider provider({answer_with(body, fields)});
  FlowGateway gateway(scene, std::move(parts));
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "POST /", fields, body));
  Received answer = receive_message(client);
  return {provider.request(0), std::move(answer), skipped_views(gateway.next_record())};
}

}  // namespace

TEST_CASE("5.3: flows see the text of a coded body, and both sides get its bytes as they were sent") {
  const Passage seen = pass(looking(), {}, coded, gzipped);
  for (const Received& one : {seen.request, seen.answer}) {
    CHECK(one.field("x-view") == "a");
    CHECK(one.field("content-encoding") == "gzip");
    CHECK(one.body == coded);
  }
  CHECK(seen.skipped == "");
}

TEST_CASE("5.3: a body of an unknown or broken coding goes by untouched, has no view, and is counted") {
  for (std::string_view coding : {"rot13", "gzip"}) {
    CAPTURE(coding);
    const std::string field = "Content-Encoding: " + std::string(coding) + "\r\n";
    const Passage seen = pass(looking(), {}, plain, field);
    for (const Received& one : {seen.request, seen.answer}) {
      CHECK(one.field("x-view") == "none");
      CHECK(one.field("content-encoding") == coding);
      CHECK(one.body == plain);
    }
    CHECK(seen.skipped == "request coding response coding");
  }
}

TEST_CASE("5.3: a body above flows.body_limit goes by untouched, has no view, and is counted") {
  struct Row {
    size_t bytes;
    std::string_view view, skipped;
  };
  // Whether it is just above the limit or more than is ever kept, flows see the same.
  const Row rows[] = {
      {1000, "a", ""}, {1001, "none", "request size response size"}, {300'000, "none", "request size response size"}};
  for (const Row& row : rows) {
    CAPTURE(row.bytes);
    const std::string body = padded(row.bytes);
    const Passage seen = pass(looking(), limited_to(1000), body, "");
    for (const Received& one : {seen.request, seen.answer}) {
      CHECK(one.field("x-view") == row.view);
      CHECK(one.body == body);
    }
    CHECK(seen.skipped == row.skipped);
  }
}

TEST_CASE("5.3: a body whose text is above flows.body_limit has no view, however short its bytes are") {
  const Passage fits = pass(looking(), limited_to(3021), coded_long, gzipped);
  CHECK(fits.request.field("x-view") == "a");
  CHECK(fits.answer.field("x-view") == "a");
  const Passage seen = pass(looking(), limited_to(3020), coded_long, gzipped);
  for (const Received& one : {seen.request, seen.answer}) {
    CHECK(one.field("x-view") == "none");
    CHECK(one.body == coded_long);
  }
  CHECK(seen.skipped == "request size response size");
}

TEST_CASE("5.3: a response is held no longer than flows.body_wait, and then goes on as it comes") {
  std::promise<void> release;
  auto released = release.get_future().share();
  Provider provider([released](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
    released.wait();
    wire.send("after");
    wire.closed_by_peer();
  });
  FlowGateway gateway(
      looking(),
      {.adjust = [](LunardConfig& config) { config.flows.body_wait = 100ms; }, .domains = {}, .scripts = {}});
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  const Received head{.head = client.receive_until("\r\n\r\n"), .body = {}};
  CHECK(head.field("x-view") == "none");
  CHECK(client.receive(5) == "first");
  release.set_value();
  CHECK(client.receive(5) == "after");
  CHECK(skipped_views(gateway.next_record()) == "response wait");
}

TEST_CASE("5.3: a response that breaks off while it is held goes as far as it came, and no view of it is counted") {
  Provider provider([](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
  });
  FlowGateway gateway(looking());
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  client.receive_until("\r\n\r\n");
  CHECK(client.receive_all() == "first");
  CHECK(skipped_views(gateway.next_record()) == "");
}

TEST_CASE("5.3: a response that is only copied passes piece by piece") {
  std::promise<void> release;
  auto released = release.get_future().share();
  Provider provider([released](Wire& wire, int) {
    wire.receive_until("\r\n\r\n");
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    released.wait();
    wire.send("5\r\nafter\r\n0\r\n\r\n");
    wire.closed_by_peer();
  });
  FlowGateway gateway(watching());
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "GET /"));
  CHECK(client.receive_until("5\r\nfirst\r\n").ends_with("first\r\n"));
  release.set_value();
  CHECK(client.receive_until("0\r\n\r\n") == "5\r\nafter\r\n0\r\n\r\n");
  const auto captured = emissions_of<emission::CaptureHar>(gateway.next_record());
  REQUIRE(captured.size() == 1);
  CHECK((*captured[0].entry)["response"]["content"]["text"] == "firstafter");
}

TEST_CASE("5.3: a copy above flows.body_limit is dropped and counted, the body is not") {
  const std::string body = padded(300'000);
  const Passage seen = pass(watching(), limited_to(1000), body, "");
  CHECK(seen.request.body == body);
  CHECK(seen.answer.body == body);
  CHECK(seen.skipped.contains("request size"));
  CHECK(seen.skipped.contains("response size"));
}

TEST_CASE("5.3: usage is that of a whole JSON body, wherever it ends, or of the last event that has one") {
  const std::string json = R"({"usage":{"prompt_tokens":10,"completion_tokens":5}})";
  const std::vector<std::string> stream = {
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n",
      "2d\r\ndata: {\"usage\":{\"total_tokens\":3}}\n\ndata: {\"u\r\n",
      "22\r\nsage\":{\"total_tokens\":15}}\n\ndata: \r\n",
      "8\r\n[DONE]\n\n\r\n0\r\n\r\n",
  };
  const std::vector<std::string> answers[] = {
      {answer_with(json)}, {"HTTP/1.1 200 OK\r\n\r\n", json.substr(0, 20), json.substr(20)}, stream};
  for (const std::vector<std::string>& pieces : answers) {
    CAPTURE(pieces.front());
    Provider provider([&pieces](Wire& wire, int) {
      wire.receive_until("\r\n\r\n");
      for (const std::string& piece : pieces) wire.send(piece);
      wire.finish();
      wire.receive_all();
    });
    FlowGateway gateway(watching());
    Wire client = gateway.client();
    client.send(request_to(provider.address(), "GET /"));
    const auto samples = emissions_of<emission::UserMetric>(gateway.next_record());
    REQUIRE(samples.size() == 1);
    CHECK(samples[0].value == 15);
  }
}

TEST_CASE("6.7: a changed body goes out in one piece, with a length of its own and without a coding") {
  FlowScene scene;
  scene.flow(
      flow_with("Add", "{url: \"127.0.0.1/*\"}",
                "{" + setting("Ask", "request.body.note", "asked") + setting("Say", "response.body.note", "said") + "}",
                "[" + edge("start", "Ask") + "]", "[" + edge("start", "Say") + "]"));
  std::promise<Received> got;
  Provider provider([&got](Wire& wire, int) {
    got.set_value(receive_message(wire));
    wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + std::string(gzipped) + "\r\n" + chunked(coded));
    wire.closed_by_peer();
  });
  FlowGateway gateway(scene);
  Wire client = gateway.client();
  client.send(request_to(provider.address(), "POST /", "Transfer-Encoding: chunked\r\n" + std::string(gzipped)) +
              chunked(coded));
  const Received answer = receive_message(client);
  const Received sent = got.get_future().get();
  CHECK(sent.body == R"({"kind":"a","note":"asked"})");
  CHECK(answer.body == R"({"kind":"a","note":"said"})");
  for (const Received& one : {sent, answer}) {
    CHECK(one.field("content-length") == std::to_string(one.body.size()));
    CHECK_FALSE(one.field("transfer-encoding"));
    CHECK_FALSE(one.field("content-encoding"));
  }
}
