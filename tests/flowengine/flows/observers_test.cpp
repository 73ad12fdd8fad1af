// What flows say beside the answer: HAR entries, metrics, spans (flows.md §7.10 to §7.12).
#include <doctest/doctest.h>

#include "flowengine/digest.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

template <class Kind>
std::vector<Kind> all_of(const Simulation& run) {
  std::vector<Kind> out;
  for (const Emission& one : run.emissions())
    if (const auto* found = std::get_if<Kind>(&one)) out.push_back(*found);
  return out;
}

std::string on_response(std::string_view name, std::string_view url, std::string_view type, std::string_view parameters,
                        std::string_view rest = "") {
  return flow_with(name, "{url: \"" + std::string(url) + "\"}",
                   "{P: {processor: " + std::string(type) + ", parameters: [" + std::string(parameters) + "]" +
                       std::string(rest) + "}}",
                   "", "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}]");
}

TEST_CASE("HAR: an entry has the request and the response, as they were") {
  FlowScene scene;
  scene.flow(on_response("F", "h.example.com/*", "HARCollector", "{key: exporter_id, value: file}"));
  CHECK(scene.findings().empty());
  Simulation run = scene.simulation();
  run.send("a", call("POST http://h.example.com/v1?q=x", {"x-a: b"}, "question"));
  run.answer("a", {.status = 201, .headers = {{"content-type", "text/plain"}}, .body = "answer"});
  auto captured = all_of<emission::CaptureHar>(run);
  REQUIRE(captured.size() == 1);
  CHECK(captured[0].exporter == "file");
  CHECK(captured[0].flow == "F");
  const Json& entry = *captured[0].entry;
  CHECK(entry["request"]["method"] == "POST");
  CHECK(entry["request"]["postData"]["text"] == "question");
  CHECK(entry["request"]["queryString"][0]["value"] == "x");
  CHECK(entry["response"]["status"] == 201);
  CHECK(entry["response"]["content"]["text"] == "answer");
}

TEST_CASE("HAR: obfuscation hides query, fields, path parameters and JSON leaves, but for exclusions") {
  FlowScene scene;
  scene.flow(on_response("Wide", "h.example.com/*", "MockProcessor", "{key: arg1, value: 1}"));
  scene.flow(on_response("F", "h.example.com/users/{user}", "HARCollector",
                         "{key: exporter_id, value: file}, {key: obfuscate_enabled, value: true}, "
                         "{key: obfuscate_exclusions, value: [$.request.body.id, $.request.headers.x-open]}"));
  Simulation run = scene.simulation();
  run.send("a", call("POST http://h.example.com/users/ann?q=x", {"x-open: yes", "x-secret: no"},
                     R"({"id": "7", "amount": 5, "deep": [{"name": "ann"}]})"));
  run.answer("a", {.body = "plain"});
  auto captured = all_of<emission::CaptureHar>(run);
  REQUIRE(captured.size() == 1);
  const Json& entry = *captured[0].entry;
  CHECK(entry["request"]["url"].get<std::string>().contains("/users/" + sha256_hex("ann")));
  CHECK(entry["request"]["queryString"][0]["value"] == sha256_hex("x"));
  Json body = Json::parse(entry["request"]["postData"]["text"].get<std::string>());
  CHECK(body["id"] == "7");
  CHECK(body["amount"] == sha256_hex("5.00"));
  CHECK(body["deep"][0]["name"] == sha256_hex("ann"));
  CHECK(entry["response"]["content"]["text"] == sha256_hex("plain"));
  for (const Json& header : entry["request"]["headers"]) {
    if (header["name"] == "x-open") CHECK(header["value"] == "yes");
    if (header["name"] == "x-secret") CHECK(header["value"] == sha256_hex("no"));
  }
}

TEST_CASE("HAR: a transaction above the limit is dropped and counted") {
  FlowScene scene;
  scene.flow(on_response("F", "h.example.com/*", "HARCollector",
                         "{key: exporter_id, value: file}, {key: transaction_max_size_bytes, value: 10}"));
  Simulation run = scene.simulation();
  run.send("a", call("POST http://h.example.com/v1", {}, "12345"));
  run.answer("a", {.body = "12345"});
  CHECK(all_of<emission::CaptureHar>(run).size() == 1);
  run.send("b", call("POST http://h.example.com/v1", {}, "12345"));
  run.answer("b", {.body = "123456"});
  CHECK(all_of<emission::CaptureHar>(run).size() == 1);
  CHECK(all_of<emission::BodyViewSkipped>(run).size() == 1);
}

TEST_CASE("metrics: a call, its size or a number of it; what is no number is skipped and counted") {
  FlowScene scene;
  scene.flow(on_response("Calls", "h.example.com/*", "UserDefinedMetrics", "{key: metric_name, value: calls}"));
  scene.flow(on_response("Sizes", "h.example.com/*", "UserDefinedMetrics",
                         "{key: metric_name, value: sizes}, {key: metric_value, value: api_call_size}"));
  scene.flow(on_response("Tokens", "h.example.com/*", "UserDefinedMetrics",
                         "{key: metric_name, value: tokens}, {key: metric_value, value: $.response.body.tokens}, "
                         "{key: custom_metric_labels, value: {team: $.request.headers.x-team}}"));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/v1", {"x-team: red"}));
  run.answer("a", {.body = R"({"tokens": 2.5})"});
  auto samples = all_of<emission::UserMetric>(run);
  REQUIRE(samples.size() == 3);
  double sum = 0;
  for (const auto& one : samples) sum += one.value;
  CHECK(sum == doctest::Approx(1 + 15 + 2.5));
  run.send("b", call("GET http://h.example.com/v1"));
  run.answer("b", {.body = R"({"tokens": "many"})"});
  samples = all_of<emission::UserMetric>(run);
  CHECK(samples.size() == 5);
  CHECK(all_of<emission::UserMetricSkipped>(run).size() == 1);
  for (const auto& one : samples)
    if (!one.labels.empty()) CHECK(one.labels[0].second == "red");
}

TEST_CASE("metrics: an instance is measured where its declaration says so") {
  FlowScene scene;
  scene.flow(on_response("On", "h.example.com/*", "Filter", "{key: status_code, value: 500}",
                         ", metrics: {enabled: true, labels: [flow_name]}"));
  scene.flow(on_response("Off", "h.example.com/*", "Filter", "{key: status_code, value: 500}"));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/v1"));
  run.answer("a", {.status = 500});
  run.send("b", call("GET http://h.example.com/v1"));
  run.answer("b", {.status = 200});
  auto measured = all_of<emission::Measure>(run);
  REQUIRE(measured.size() == 2);
  CHECK(measured[0].meter == emission::Meter::filter_hit);
  CHECK(measured[1].meter == emission::Meter::filter_miss);
}

std::string traced() {
  return flow_with(
      "F", "{url: \"h.example.com/*\"}",
      "{P: {processor: UserDefinedTraces, parameters: [{key: trace_exporter_id, value: collector}, "
      "{key: custom_trace_attributes, value: {team: $.request.headers.x-team, state: $.response.body.state}}]}}",
      "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}]",
      "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}]");
}
constexpr std::string_view collector =
    "trace_exporter: {trace_exporter_id: collector, traces_endpoint: \"http://otel.example.com:4318/v1/traces\"}";

TEST_CASE("traces: placed in both directions it makes one span with the parent that the client named") {
  FlowScene scene;
  scene.flow(traced()).gateway(std::string(collector));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/v1",
                     {"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-team: red"}));
  run.advance(250ms);
  const std::string sent = field(run.outcomes("a").sent.at(0).headers, "traceparent").value_or("");
  run.answer("a", {.status = 503, .body = R"({"state": "busy"})"});
  auto spans = all_of<emission::Span>(run);
  REQUIRE(spans.size() == 1);
  const emission::Span& span = spans[0];
  CHECK(span.exporter == "collector");
  CHECK(span.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(span.parent_id == "00f067aa0ba902b7");
  CHECK(sent == "00-" + span.trace_id + "-" + span.span_id + "-01");
  CHECK(span.name == "GET h.example.com/v1");
  CHECK(span.status == 503);
  CHECK(span.latency == 250ms);
  CHECK(span.attributes == std::vector<std::pair<std::string, std::string>>{{"team", "red"}, {"state", "busy"}});
}

TEST_CASE("traces: B3 fields are a parent as well, and without any the trace begins here") {
  FlowScene scene;
  scene.flow(traced()).gateway(std::string(collector));
  Simulation run = scene.simulation();
  run.send("b3", call("GET http://h.example.com/v1", {"b3: 463ac35c9f6413ad-0020000000000001-1"}));
  run.answer("b3", {});
  run.send("b3s", call("GET http://h.example.com/v1",
                       {"X-B3-TraceId: 463ac35c9f6413ad", "X-B3-SpanId: 0020000000000001", "X-B3-Sampled: 1"}));
  run.answer("b3s", {});
  run.send("none", call("GET http://h.example.com/v1"));
  run.answer("none", {});
  auto spans = all_of<emission::Span>(run);
  REQUIRE(spans.size() == 3);
  for (size_t i : {0, 1}) {
    CHECK(spans[i].trace_id == "0000000000000000463ac35c9f6413ad");
    CHECK(spans[i].parent_id == "0020000000000001");
  }
  CHECK(spans[2].trace_id.size() == 32);
  CHECK(spans[2].parent_id.empty());
}

TEST_CASE("traces: a provider that gives no response leaves a span without status") {
  FlowScene scene;
  scene.flow(traced()).gateway(std::string(collector));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/v1"));
  run.answer("a", {.unreachable = true});
  auto spans = all_of<emission::Span>(run);
  REQUIRE(spans.size() == 1);
  CHECK(spans[0].status == 0);
}

TEST_CASE("traces: a span without a response side is closed after 30 s") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{P: {processor: UserDefinedTraces, parameters: [{key: trace_exporter_id, value: collector}]}}",
                       "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}]"));
  scene.gateway(std::string(collector));
  Simulation run = scene.simulation();
  for (const auto& [name, takes] : {std::pair{"quick", 29s}, std::pair{"slow", 45s}}) {
    run.send(name, call("GET http://h.example.com/v1"));
    run.advance(takes);
    run.answer(name, {});
  }
  auto spans = all_of<emission::Span>(run);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].latency == 29s);
  CHECK(spans[1].latency == 30s);
  CHECK(spans[1].end - spans[1].begin == 30s);
}

}  // namespace
}  // namespace lunar
