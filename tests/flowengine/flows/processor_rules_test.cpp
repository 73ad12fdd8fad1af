// Rules of flows.md §3 and §7 about chance, choice and bounds, which single transactions do not show.
#include <doctest/doctest.h>

#include <set>

#include "flowengine/tokens/tokens.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view everything = "{url: \"h.example.com/*\"}";

std::string one_processor(std::string_view type, std::string_view parameters) {
  return "{P: {processor: " + std::string(type) + ", parameters: [" + std::string(parameters) + "]}}";
}
constexpr std::string_view to_it = "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}]";

int64_t used_of(Simulation& run, std::string_view id) {
  for (const NodeView& node : run.state().ledger().view(run.now()))
    if (node.id == id) return node.groups.empty() ? 0 : node.groups[0].used;
  return -1;
}

TEST_CASE("3: a quota's sample is rolled once for a transaction and node, and its share comes out") {
  FlowScene scene;
  scene.quota(R"(
quotas:
  - {id: A, filter: {url: "h.example.com/*", sample_percentage: 25}, strategy: {fixed_window: {max: 100000, interval: 1, interval_unit: day}}}
  - {id: B, filter: {url: "h.example.com/*", sample_percentage: 25}, strategy: {fixed_window: {max: 100000, interval: 1, interval_unit: day}}}
)");
  scene.flow(flow_with("Again", everything, one_processor("Retry", "{key: attempts, value: 1}"), "", to_it));
  Simulation run = scene.simulation();
  constexpr int calls = 4000;
  int differ = 0;
  for (int i = 0; i < calls; ++i) {
    const std::string name = std::to_string(i);
    const int64_t a = used_of(run, "A"), b = used_of(run, "B");
    run.send(name, call("GET http://h.example.com/"));
    run.answer(name, {.status = 503});
    run.advance(1ns);
    run.answer(name, {});
    const int64_t of_a = used_of(run, "A") - a, of_b = used_of(run, "B") - b;
    // Both attempts count, or none.
    REQUIRE((of_a == 0 || of_a == 2));
    REQUIRE((of_b == 0 || of_b == 2));
    differ += of_a == of_b ? 0 : 1;
  }
  for (const char* node : {"A", "B"}) {
    CHECK(used_of(run, node) > 2 * calls * 22 / 100);
    CHECK(used_of(run, node) < 2 * calls * 28 / 100);
  }
  CHECK(differ > calls / 4);  // each node rolls for itself
}

TEST_CASE("7.4: the sample of a Filter is rolled once for a transaction and instance") {
  FlowScene scene;
  auto set = [](std::string_view key, std::string_view target) {
    return std::string(key) + ": {processor: TransformAPICall, parameters: [{key: set, value: {$." +
           std::string(target) + ": \"yes\"}}]}, ";
  };
  auto hit = [](std::string_view from, std::string_view to) {
    return "{from: {stream: {name: s, at: start}}, to: {processor: {name: " + std::string(from) +
           "}}}, {from: {processor: {name: " + std::string(from) +
           ", condition: hit}}, to: {processor: {name: " + std::string(to) + "}}}";
  };
  const std::string half = ": {processor: Filter, parameters: [{key: sample_percentage, value: 50}]}, ";
  scene.flow(flow_with("F", everything,
                       "{A" + half + "B" + half + set("AskA", "request.headers.x-a") +
                           set("AskB", "request.headers.x-b") + set("SayA", "response.headers.x-a") + "}",
                       "[" + hit("A", "AskA") + ", " + hit("B", "AskB") + "]", "[" + hit("A", "SayA") + "]"));
  Simulation run = scene.simulation();
  constexpr int calls = 1000;
  int hits = 0, differ = 0;
  for (int i = 0; i < calls; ++i) {
    const std::string name = std::to_string(i);
    run.send(name, call("GET http://h.example.com/"));
    const HeaderList sent = run.outcomes(name).sent.at(0).headers;
    const bool a = field(sent, "x-a").has_value(), b = field(sent, "x-b").has_value();
    run.answer(name, {});
    REQUIRE(field(run.outcomes(name).headers, "x-a").has_value() == a);
    hits += a ? 1 : 0;
    differ += a == b ? 0 : 1;
  }
  CHECK(hits > calls * 44 / 100);
  CHECK(hits < calls * 56 / 100);
  CHECK(differ > calls / 4);
}

TEST_CASE("7.5: full jitter draws from 0 to the planned wait, and Retry-After still raises it") {
  FlowScene scene;
  scene.flow(flow_with("F", everything,
                       one_processor("Retry",
                                     "{key: attempts, value: 1}, {key: cooldown_between_attempts_seconds, value: 8}, "
                                     "{key: cooldown_multiplier, value: 2}, {key: jitter, value: full}"),
                       "", to_it));
  Simulation run = scene.simulation();
  constexpr int calls = 1000;
  std::set<std::chrono::nanoseconds> waits;
  std::chrono::nanoseconds sum{};
  for (int i = 0; i < calls; ++i) {
    const std::string name = std::to_string(i);
    run.send(name, call("GET http://h.example.com/"));
    run.answer(name, {.status = 503});
    run.advance(10s);
    REQUIRE(run.at_provider(name));
    waits.insert(run.outcomes(name).waited);
    sum += run.outcomes(name).waited;
  }
  CHECK(waits.size() > calls * 9 / 10);
  CHECK(*waits.begin() < 500ms);
  CHECK(*waits.rbegin() > 9500ms);
  CHECK(sum / calls > 4500ms);
  CHECK(sum / calls < 5500ms);
  run.send("told", call("GET http://h.example.com/"));
  run.answer("told", {.status = 503, .headers = {{"Retry-After", "12"}}});
  run.advance(12s);
  CHECK(run.outcomes("told").waited == 12s);
}

TEST_CASE("7.9: encoding goes before model, model before model_type, and without any it is cl100k_base") {
  constexpr std::string_view text = "Größenordnung, 大規模言語モデル, Привет";
  const size_t cl100k = count_tokens(Encoding::cl100k_base, text);
  const size_t o200k = count_tokens(Encoding::o200k_base, text);
  REQUIRE(cl100k != o200k);
  const std::pair<std::string_view, size_t> rows[] = {
      {"", cl100k},
      {"{key: encoding, value: o200k_base}", o200k},
      {"{key: encoding, value: cl100k_base}, {key: model, value: gpt-4o}", cl100k},
      {"{key: model, value: gpt-4o-mini}", o200k},
      {"{key: model, value: gpt-4-turbo}, {key: model_type, value: chatgpt}", cl100k},
      {"{key: model, value: gpt-4o}, {key: model_type, value: ChatGPT}", o200k},
      {"{key: model_type, value: ChatGPT}", cl100k},
      {"{key: model_type, value: gemini}", cl100k},
  };
  for (const auto& [parameters, count] : rows) {
    CAPTURE(parameters);
    FlowScene scene;
    scene.flow(
        flow_with("F", everything,
                  "{P: {processor: CountLLMTokens, parameters: [" + std::string(parameters) +
                      "]}, Show: {processor: UserDefinedMetrics, parameters: [{key: metric_name, value: tokens}, "
                      "{key: metric_value, value: $.request.headers.x-lunar-estimated-tokens}]}}",
                  "[{from: {stream: {name: s, at: start}}, to: {processor: {name: P}}}, "
                  "{from: {processor: {name: P}}, to: {processor: {name: Show}}}]"));
    Simulation run = scene.simulation();
    run.send("a", call("POST http://h.example.com/", {}, std::string(text)));
    std::optional<double> counted;
    for (const Emission& one : run.emissions())
      if (const auto* sample = std::get_if<emission::UserMetric>(&one)) counted = sample->value;
    CHECK(counted == static_cast<double>(count));
  }
}

}  // namespace
}  // namespace lunar
