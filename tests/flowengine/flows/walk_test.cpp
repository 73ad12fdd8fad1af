// Numbered rules of flows.md §5.3, §6 and §8.6 that need more than a client and a provider.
#include <doctest/doctest.h>

#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view start = "{from: {stream: {name: s, at: start}}, to: ";

std::string set_field(std::string_view key, std::string_view name, std::string_view value) {
  return std::string(key) + ": {processor: TransformAPICall, parameters: [{key: set, value: {$.request.headers." +
         std::string(name) + ": " + std::string(value) + "}}]}, ";
}

std::string to(std::string_view name) { return std::string(start) + "{processor: {name: " + std::string(name) + "}}}"; }
std::string step(std::string_view from, std::string_view target) {
  return ", {from: {processor: {name: " + std::string(from) + "}}, to: {processor: {name: " + std::string(target) +
         "}}}";
}

constexpr std::string_view hour =
    "quotas: [{id: Q, filter: {url: \"h.example.com/*\"}, strategy: "
    "{fixed_window: {max: 2, interval: 1, interval_unit: hour}}}]";

// One attempt by hand: what the agent does.
struct Attempt {
  explicit Attempt(std::shared_ptr<const Plan> with, std::optional<std::string> body = "",
                   std::string_view method = "GET")
      : plan(std::move(with)) {
    auto request = std::make_unique<Request>();
    request->method = request->keep(std::string(method));
    request->host = "h.example.com";
    request->path = "/v1";
    if (body) request->body = request->keep(*body);
    request->own();
    SelectionScratch scratch;
    select(*plan, *request, transaction.dice, scratch, selection);
    wanted = selection.body;
    execution = std::make_unique<Execution>(plan, transaction, std::move(request), selection);
  }
  ~Attempt() { execution->finish({.complete = false}, scene_start); }

  [[nodiscard]] std::string failure() const {
    for (const Emission& one : execution->emissions())
      if (const auto* failed = std::get_if<emission::ProcessorFailed>(&one)) return failed->reason;
    return "";
  }

  std::shared_ptr<const Plan> plan;
  Transaction transaction{1, 1};
  Selection selection;
  BodyUse wanted;
  std::unique_ptr<Execution> execution;
};

template <class Kind>
int count_of(const Attempt& attempt) {
  int count = 0;
  for (const Emission& one : attempt.execution->emissions()) count += std::holds_alternative<Kind>(one) ? 1 : 0;
  return count;
}

TEST_CASE("6.4: every edge of an output is followed, in file order, each as deep as it goes") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{" + set_field("A", "x-a", "a") + set_field("B", "x-last", "b") +
                           set_field("B2", "x-deep", "b2") + set_field("C", "x-last", "c") + "}",
                       "[" + to("A") + step("A", "B") + step("A", "C") + step("B", "B2") + "]"));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/"));
  const HeaderList& sent = run.outcomes("a").sent.at(0).headers;
  CHECK(field(sent, "x-last") == "c");
  CHECK(field(sent, "x-deep") == "b2");
}

TEST_CASE("6.4: past the processing timeout the remaining steps count as failed") {
  for (std::string_view on_error : {"continue", "block"}) {
    CAPTURE(on_error);
    FlowScene scene;
    scene.quota(std::string(hour));
    scene.flow(
        flow_with("F", "{url: \"h.example.com/*\"}",
                  "{W: {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 1}]}}",
                  "[" + to("W") + "]") +
        "on_error: " + std::string(on_error) + "\n");
    Attempt attempt(scene.plan());
    REQUIRE(std::holds_alternative<effect::Enqueue>(attempt.execution->begin(scene_start)));
    Effect then = attempt.execution->time_out(scene_start);
    CHECK(attempt.failure() == "timeout");
    if (on_error == "block") {
      REQUIRE(std::holds_alternative<effect::Refuse>(then));
      CHECK(std::get<effect::Refuse>(then).flow == "F");
    } else {
      CHECK(std::holds_alternative<effect::Forward>(then));
    }
  }
}

TEST_CASE("7.2: a waiting line is that of one processor, also where dots in names make them look alike") {
  FlowScene scene;
  scene.quota(std::string(hour));
  const std::string queue =
      ": {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 1}]}";
  scene.flow(flow_with("a.b", "{url: \"h.example.com/one\"}", "{c" + queue + "}", "[" + to("c") + "]"));
  scene.flow(flow_with("a", "{url: \"h.example.com/two\"}", "{b.c" + queue + "}", "[" + to("b.c") + "]"));
  Simulation run = scene.simulation();
  for (const char* name : {"first", "second", "waits"}) run.send(name, call("GET http://h.example.com/one"));
  run.send("waits too", call("GET http://h.example.com/two"));
  const std::vector<LineNumber> lines = run.state().lines().numbers();
  REQUIRE(lines.size() == 2);
  CHECK((lines[0].flow == "a" && lines[0].key == "b.c" && lines[0].waiting == 1));
  CHECK((lines[1].flow == "a.b" && lines[1].key == "c" && lines[1].waiting == 1));
}

TEST_CASE("6.4: a plan knows its longest queue wait, from which the default timeout is made") {
  FlowScene scene;
  scene.quota(std::string(hour));
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{W: {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 1}, "
                       "{key: ttl_seconds, value: 200.5}]}}",
                       "[" + to("W") + "]"));
  CHECK(scene.plan()->longest_queue_wait == 200'500ms);
}

TEST_CASE("6.3: without a response of the provider no response side runs") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{H: {processor: HARCollector, parameters: [{key: exporter_id, value: file}]}}", "",
                       "[" + to("H") + "]"));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://h.example.com/"));
  run.answer("a", {.unreachable = true});
  CHECK(run.outcomes("a").status == 0);
  for (const Emission& one : run.emissions()) CHECK_FALSE(std::holds_alternative<emission::CaptureHar>(one));
}

TEST_CASE("8.6: an instance that is reached twice counts once, two instances on one node count twice") {
  FlowScene scene;
  scene.quota(std::string(hour));
  const std::string limiter = ": {processor: Limiter, parameters: [{key: quota_id, value: Q}]}, ";
  scene.flow(flow_with("Once", "{url: \"h.example.com/once\"}",
                       "{" + set_field("A", "x", "a") + set_field("B", "x", "b") + "L" + limiter + "}",
                       "[" + to("A") + ", " + to("B") + step("A", "L") + step("B", "L") + "]"));
  scene.flow(flow_with(
      "Twice", "{url: \"h.example.com/twice\"}",
      "{L" + limiter + "M" + limiter + "G: {processor: GenerateResponse, parameters: [{key: status, value: 429}]}}",
      "[" + to("L") +
          ", {from: {processor: {name: L, condition: below_limit}}, to: {processor: {name: M}}}"
          ", {from: {processor: {name: M, condition: above_limit}}, to: {processor: {name: G}}}]"));
  Simulation run = scene.simulation();
  run.send("one", call("GET http://h.example.com/once"));
  CHECK(run.at_provider("one"));
  run.send("two", call("GET http://h.example.com/twice"));
  CHECK(run.outcomes("two").status == 429);  // L took the second unit, M found none; L's is not given back
  run.send("three", call("GET http://h.example.com/twice"));
  CHECK(run.at_provider("three"));  // L refuses, which has no edge
}

TEST_CASE("5.3: a request body is held only where the keys that do not need it match") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\", method: POST, body: [{key: a, regex_match: b}]}", "{}", ""));
  CHECK_FALSE(Attempt(scene.plan()).wanted.hold_request);
  CHECK(Attempt(scene.plan(), R"({"a": "b"})", "POST").wanted.hold_request);
}

TEST_CASE("5.3: uses of bodies: held, kept for replay, copied") {
  struct Row {
    std::string_view processor, phase;
    bool BodyUse::* use;
  };
  const Row rows[] = {
      {"CountLLMTokens", "request", &BodyUse::hold_request},
      {"CustomScript, parameters: [{key: script_text, value: \"\"}]", "request", &BodyUse::hold_request},
      {"CustomScript, parameters: [{key: script_text, value: \"\"}]", "response", &BodyUse::hold_response},
      {"Filter, parameters: [{key: body, value: [{key: a, regex_match: b}]}]", "request", &BodyUse::hold_request},
      {"Filter, parameters: [{key: expressions, value: [$.response.body.a]}]", "response", &BodyUse::hold_response},
      {"TransformAPICall, parameters: [{key: set, value: {$.request.body.a: 1}}]", "request", &BodyUse::hold_request},
      {"TransformAPICall, parameters: [{key: set, value: {$.response.body.a: 1}}]", "response",
       &BodyUse::hold_response},
      {"ReadCache, parameters: [{key: caching_key_parts, value: [$.request.body.a]}]", "request",
       &BodyUse::hold_request},
      {"Retry, parameters: [{key: attempts, value: 1}]", "response", &BodyUse::keep_request},
      {"HARCollector, parameters: [{key: exporter_id, value: file}]", "response", &BodyUse::copy_response},
      {"WriteCache, parameters: [{key: caching_key_parts, value: [$.request.path]}]", "response",
       &BodyUse::copy_response},
      {"UserDefinedMetrics, parameters: [{key: metric_name, value: m}, {key: metric_value, value: $.response.body.a}]",
       "response", &BodyUse::copy_response},
  };
  for (const Row& row : rows) {
    CAPTURE(row.processor);
    const bool request = row.phase == "request";
    FlowScene scene;
    scene.flow(flow_with("F", "{url: \"h.example.com/*\"}", "{P: {processor: " + std::string(row.processor) + "}}",
                         request ? "[" + to("P") + "]" : "", request ? "" : "[" + to("P") + "]"));
    CHECK(scene.plan()->flows[0].body.*row.use);
  }
}

TEST_CASE("6.4: a response that nothing looks at needs no pass") {
  struct Row {
    std::string_view processor, request, response, quota;
    bool wants;
  };
  const std::string change =
      "{P: {processor: TransformAPICall, parameters: [{key: set, value: {$.request.path: /v2}}]}}";
  const std::string har = "{P: {processor: HARCollector, parameters: [{key: exporter_id, value: file}]}}";
  const std::string learned =
      "quotas: [{id: Q, filter: {url: \"h.example.com/*\"}, strategy: {header_based: {quota_header: x-left, "
      "reset_header: x-reset}}}]";
  const std::string counted =
      "quotas: [{id: Q, filter: {url: \"h.example.com/*\"}, strategy: {fixed_window_custom_counter: "
      "{max: 9, interval: 1, interval_unit: hour, counter_value_path: $.response.usage.total_tokens}}}]";
  const std::string trace = "{P: {processor: UserDefinedTraces, parameters: [{key: trace_exporter_id, value: c}]}}";
  const Row rows[] = {{"{}", "", "", "", false},     {change, "P", "", "", false}, {har, "P", "", "", false},
                      {har, "", "P", "", true},      {trace, "P", "", "", true},   {"{}", "", "", hour, false},
                      {"{}", "", "", learned, true}, {"{}", "", "", counted, true}};
  for (const Row& row : rows) {
    CAPTURE(row.processor);
    CAPTURE(row.quota);
    FlowScene scene;
    scene.gateway(
        "trace_exporter: {trace_exporter_id: c, traces_endpoint: \"http://otel.example.com:4318/v1/traces\"}");
    auto steps = [](std::string_view name) { return name.empty() ? std::string() : "[" + to(name) + "]"; };
    scene.flow(flow_with("F", "{url: \"h.example.com/*\"}", std::string(row.processor), steps(row.request),
                         steps(row.response)));
    if (!row.quota.empty()) scene.quota(std::string(row.quota));
    Attempt attempt(scene.plan());
    Effect effect = attempt.execution->begin(scene_start);
    while (std::holds_alternative<effect::Count>(effect))
      effect = attempt.execution->resume(reply::Counted{}, scene_start);
    REQUIRE(std::holds_alternative<effect::Forward>(effect));
    CHECK(attempt.execution->wants_response() == row.wants);
  }
}

TEST_CASE("5.3: a response is held only where its status and fields match") {
  FlowScene scene;
  scene.flow(flow_with(
      "F", "{url: \"h.example.com/*\", status_code: [500], expressions: [{key: $.response.body.a, value: b}]}", "{}",
      ""));
  Attempt attempt(scene.plan());
  CHECK(std::holds_alternative<effect::Forward>(attempt.execution->begin(scene_start)));
  Response head;
  head.status = 200;
  CHECK_FALSE(attempt.execution->response_body_use(head).hold);
  head.status = 500;
  CHECK(attempt.execution->response_body_use(head).hold);
}

TEST_CASE("5.3: of a body that could not be had only not_exists is true") {
  FlowScene scene;
  const std::string entry = "filter: {url: \"h.example.com/*\", expressions: [{key: $.request.body.a, operation: ";
  for (std::string_view operation : {"exists", "not_exists", "neq, value: b", "eq, value: b"})
    scene.flow("name: \"" + std::string(operation) + "\"\n" + entry + std::string(operation) +
               "}]}\nflow:\n  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]\n"
               "  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]\n");
  Attempt attempt(scene.plan(), std::nullopt, "POST");
  CHECK(attempt.execution->flow_names() == std::vector<std::string_view>{"not_exists"});
}

TEST_CASE("7.5: a request whose body could not be kept is not sent again, and counted") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{R: {processor: Retry, parameters: [{key: attempts, value: 3}]}}", "", "[" + to("R") + "]"));
  Attempt attempt(scene.plan(), std::nullopt, "POST");
  attempt.execution->notes().request_replayable = false;
  CHECK(std::holds_alternative<effect::Forward>(attempt.execution->begin(scene_start)));
  auto response = std::make_unique<Response>();
  response->status = 503;
  CHECK(std::holds_alternative<effect::Deliver>(attempt.execution->respond(std::move(response), scene_start)));
  bool counted = false;
  for (const Emission& one : attempt.execution->emissions())
    if (const auto* skip = std::get_if<emission::BodyViewSkipped>(&one)) counted = counted || skip->reason == "body";
  CHECK(counted);
}

TEST_CASE("7.9: without a body there is no count, not even the client's own") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}", "{C: {processor: CountLLMTokens}}", "[" + to("C") + "]"));
  Attempt attempt(scene.plan(), std::nullopt, "POST");
  attempt.execution->request().add_field("x-lunar-estimated-tokens", "5");
  CHECK(std::holds_alternative<effect::Forward>(attempt.execution->begin(scene_start)));
  CHECK(attempt.execution->request().find("x-lunar-estimated-tokens") == nullptr);
}

TEST_CASE("7.6: an answer that broke off is not stored") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{W: {processor: WriteCache, parameters: [{key: caching_key_parts, value: [$.request.path]}]}}",
                       "", "[" + to("W") + "]"));
  for (bool complete : {true, false}) {
    CAPTURE(complete);
    Attempt attempt(scene.plan());
    CHECK(std::holds_alternative<effect::Forward>(attempt.execution->begin(scene_start)));
    auto response = std::make_unique<Response>();
    response->status = 200;
    response->body = response->wire_body = "text";
    CHECK(std::holds_alternative<effect::Deliver>(attempt.execution->respond(std::move(response), scene_start)));
    attempt.execution->emissions().clear();
    attempt.execution->finish({.complete = complete}, scene_start);
    CHECK(count_of<emission::WriteCache>(attempt) == (complete ? 1 : 0));
  }
}

TEST_CASE("8.4: an answer that broke off adds what was seen of its counter") {
  FlowScene scene;
  scene.quota(
      "quotas: [{id: Q, filter: {url: \"h.example.com/*\"}, strategy: {fixed_window_custom_counter: "
      "{max: 9, interval: 1, interval_unit: hour, counter_value_path: $.response.usage.total_tokens}}}]");
  Attempt attempt(scene.plan());
  REQUIRE(std::holds_alternative<effect::Count>(attempt.execution->begin(scene_start)));
  CHECK(std::holds_alternative<effect::Forward>(attempt.execution->resume(reply::Counted{}, scene_start)));
  auto response = std::make_unique<Response>();
  response->status = 200;
  CHECK(std::holds_alternative<effect::Deliver>(attempt.execution->respond(std::move(response), scene_start)));
  attempt.execution->response()->usage = TokenUsage{.input = 4, .output = 3, .total = {}};
  attempt.execution->finish({.complete = false}, scene_start);
  REQUIRE(count_of<emission::AddToQuota>(attempt) == 1);
  for (const Emission& one : attempt.execution->emissions())
    if (const auto* add = std::get_if<emission::AddToQuota>(&one)) CHECK(add->amount == 7);
}

TEST_CASE("7.6: other key parts are other records, also behind a reload") {
  auto cached = [](std::string_view part) {
    FlowScene scene;
    const std::string rules = ", parameters: [{key: caching_key_parts, value: [" + std::string(part) + "]}]}";
    scene.flow(flow_with(
        "F", "{url: \"h.example.com/*\"}",
        "{R: {processor: ReadCache" + rules + ", W: {processor: WriteCache" + rules + "}", "[" + to("R") + "]",
        "[" + to("W") + ", {from: {processor: {name: R, condition: cache_hit}}, to: {stream: {name: s, at: end}}}]"));
    return scene.plan();
  };
  auto plan = cached("$.request.headers.x-a");
  Simulation run(plan, scene_start);
  run.send("a", call("GET http://h.example.com/", {"x-a: 1", "x-b: 1"}));
  run.answer("a", {.body = "by a"});
  run.reload(cached("$.request.headers.x-a"));
  run.send("b", call("GET http://h.example.com/", {"x-a: 1", "x-b: 1"}));
  CHECK(run.outcomes("b").body == "by a");
  run.reload(cached("$.request.headers.x-b"));
  run.send("c", call("GET http://h.example.com/", {"x-a: 1", "x-b: 1"}));
  CHECK(run.at_provider("c"));
}

TEST_CASE("3: a sample is rolled once for a transaction, and its share comes out") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\", sample_percentage: 25}", "{}", ""));
  Simulation run = scene.simulation();
  int hits = 0;
  constexpr int calls = 4000;
  for (int i = 0; i < calls; ++i) {
    const std::string name = std::to_string(i);
    run.send(name, call("GET http://h.example.com/"));
    hits += run.outcomes(name).flows.empty() ? 0 : 1;
  }
  CHECK(hits > calls * 22 / 100);
  CHECK(hits < calls * 28 / 100);
}

TEST_CASE("3: a sample holds for all attempts of a transaction") {
  FlowScene scene;
  scene.flow(flow_with("Half", "{url: \"h.example.com/*\", sample_percentage: 50}", "{}", ""));
  scene.flow(flow_with("Again", "{url: \"h.example.com/*\"}",
                       "{R: {processor: Retry, parameters: [{key: attempts, value: 1}]}}", "", "[" + to("R") + "]"));
  Simulation run = scene.simulation();
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i);
    run.send(name, call("GET http://h.example.com/"));
    const auto first = run.outcomes(name).flows;
    run.answer(name, {.status = 503});
    run.advance(1s);
    CHECK(run.outcomes(name).flows == first);
  }
}

}  // namespace
}  // namespace lunar
