// How large configurations may be, and that hostile ones end.
#include <doctest/doctest.h>

#include <chrono>

#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

std::string edge(std::string_view from, std::string_view to) {
  return "    - {from: " + std::string(from) + ", to: " + std::string(to) + "}\n";
}

constexpr std::string_view start = "{stream: {name: s, at: start}}";

std::string processor(const std::string& name) { return "{processor: {name: " + name + "}}"; }
std::string flow_end(const std::string& name, std::string_view at) {
  return "{flow: {name: " + name + ", at: " + std::string(at) + "}}";
}

std::string flow_text(const std::string& name, const std::string& processors, const std::string& request) {
  return "name: " + name + "\nfilter: {url: \"" + name + ".example.com/*\"}\nprocessors: {" + processors +
         "}\nflow:\n  request:\n" + request +
         "  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]\n";
}

std::string harmless(const std::string& name) {
  return name + ": {processor: TransformAPICall, parameters: [{key: delete, value: [$.request.headers.x-a]}]}, ";
}

TEST_CASE("limits: 10,000 flows and 10,000 quotas compile within seconds") {
  FlowScene scene;
  constexpr int count = 10'000;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    scene.sources().flows.push_back(
        {"flows/" + number + ".yaml",
         flow_text("f" + number, "L: {processor: Limiter, parameters: [{key: quota_id, value: Q" + number + "}]}",
                   edge(start, processor("L")))});
    scene.sources().quotas.push_back({"quotas/" + number + ".yaml",
                                      "quotas: [{id: Q" + number + ", filter: {url: \"f" + number + ".example.com/{id" +
                                          number + "}\"}, strategy: {concurrent: {max_request_count: 1}}}]"});
  }
  const auto begin = Clock::now();
  Compiled out = scene.compiled();
  const double took = seconds_of(Clock::now() - begin);
  MESSAGE("10,000 flows and quotas: " << took << " s");
  REQUIRE(out.plan != nullptr);
  CHECK(out.plan->flows.size() == count);
  CHECK(took < 60);  // sanitizers included; two seconds without them
  Simulation run(out.plan, scene_start);
  run.send("a", call("GET http://f9999.example.com/x"));
  CHECK(run.outcomes("a").flows == std::vector<std::string>{"f9999"});
}

TEST_CASE("limits: flows that contain one another twice on every level end as a finding") {
  FlowScene scene;
  constexpr int levels = 40;
  for (int i = 0; i < levels; ++i) {
    const std::string inner = "f" + std::to_string(i + 1);
    const bool last = i + 1 == levels;
    scene.flow(flow_text("f" + std::to_string(i), harmless("P") + harmless("R"),
                         last ? edge(start, processor("P")) + edge(processor("P"), processor("R"))
                              : edge(start, flow_end(inner, "start")) + edge(start, flow_end(inner, "start")) +
                                    edge(flow_end(inner, "end"), processor("P")) +
                                    edge(processor("P"), processor("R"))));
  }
  const auto begin = Clock::now();
  const std::string findings = scene.findings();
  CHECK(seconds_of(Clock::now() - begin) < 20);
  CHECK(findings.contains("comes to more than 100000 steps [circular]"));
  CHECK(scene.compiled().plan == nullptr);
}

TEST_CASE("limits: a chain of 1,000 flows, each inside the one before, ends as a finding") {
  FlowScene scene;
  for (int i = 0; i < 1000; ++i) {
    const std::string inner = "f" + std::to_string(i + 1);
    scene.sources().flows.push_back(
        {"flows/" + std::to_string(i) + ".yaml",
         flow_text("f" + std::to_string(i), harmless("P"),
                   i == 999 ? edge(start, processor("P"))
                            : edge(start, flow_end(inner, "start")) + edge(flow_end(inner, "end"), processor("P")))});
  }
  CHECK(scene.findings().contains("flows contain one another more than 64 deep"));
}

TEST_CASE("limits: a path of 2,500 steps is checked and walked") {
  std::string processors, edges = edge(start, processor("p0"));
  constexpr int steps = 2'500;
  for (int i = 0; i < steps; ++i) {
    const std::string name = "p" + std::to_string(i);
    processors += name + ": {processor: TransformAPICall, parameters: [{key: delete, value: [$.request.headers.a]}]}, ";
    if (i > 0) edges += edge(processor("p" + std::to_string(i - 1)), processor(name));
  }
  FlowScene scene;
  scene.flow(flow_text("long", processors, edges));
  Simulation run = scene.simulation();
  run.send("a", call("GET http://long.example.com/"));
  CHECK(run.at_provider("a"));
}

TEST_CASE("limits: 60 paths in a row that part and meet end as the failure of a processor") {
  std::string processors, edges = edge(start, processor("a0"));
  for (int i = 0; i < 60; ++i) {
    const std::string here = std::to_string(i), next = std::to_string(i + 1);
    processors += harmless("a" + here) + harmless("b" + here) + harmless("c" + here);
    edges += edge(processor("a" + here), processor("b" + here)) + edge(processor("a" + here), processor("c" + here));
    if (i < 59)
      edges += edge(processor("b" + here), processor("a" + next)) + edge(processor("c" + here), processor("a" + next));
  }
  FlowScene scene;
  scene.flow(flow_text("diamonds", processors, edges));
  scene.flow(
      flow_with("Then", "{url: \"diamonds.example.com/x\"}",
                "{T: {processor: TransformAPICall, parameters: [{key: set, value: {$.request.headers.x-then: y}}]}}",
                "[{from: {stream: {name: s, at: start}}, to: {processor: {name: T}}}]"));
  Simulation run = scene.simulation();
  const auto begin = Clock::now();
  run.send("a", call("GET http://diamonds.example.com/x"));
  CHECK(seconds_of(Clock::now() - begin) < 20);
  REQUIRE(run.at_provider("a"));
  CHECK(field(run.outcomes("a").sent[0].headers, "x-then") == "y");  // the other flow went on
  size_t failures = 0;
  for (const Emission& one : run.emissions())
    if (const auto* failed = std::get_if<emission::ProcessorFailed>(&one);
        failed != nullptr && failed->reason == "steps")
      ++failures;
  CHECK(failures == 1);
}

TEST_CASE("limits: the planned waits of any number of attempts are known at once") {
  FlowScene scene;
  scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                       "{R: {processor: Retry, parameters: [{key: attempts, value: 9000000000000000000}, "
                       "{key: cooldown_between_attempts_seconds, value: 0.000000001}]}}",
                       "", "[{from: {stream: {name: s, at: start}}, to: {processor: {name: R}}}]"));
  CHECK(scene.findings().contains("[retry-too-long]"));
}

TEST_CASE("diagnostics: columns count code points") {
  FlowScene scene;
  scene.flow("name: F\nfilter: {name: \"äöü😀\", url: \"h.example.com/*/x\"}\n");
  CHECK(scene.findings().starts_with("flows/01.yaml:2:29: error: "));
}

TEST_CASE("diagnostics: a finding about a flow that others contain is told once") {
  FlowScene scene;
  scene.flow(flow_text("inner", harmless("P"), edge(start, processor("Missing"))));
  for (const char* name : {"one", "two", "three"})
    scene.flow(flow_text(name, harmless("P"),
                         edge(start, flow_end("inner", "start")) + edge(flow_end("inner", "end"), processor("P"))));
  const std::string findings = scene.findings();
  const size_t first = findings.find("no processor `Missing`");
  REQUIRE(first != std::string::npos);
  CHECK(findings.find("no processor `Missing`", first + 1) == std::string::npos);
}

TEST_CASE("diagnostics: a file of more than 1 MiB is refused as a whole") {
  FlowScene scene;
  scene.flow("name: " + std::string(1024 * 1024, 'x'));
  CHECK(scene.findings() == "flows/01.yaml: error: 1048582 bytes; a file may have 1 MiB [file-too-large]\n");
}

}  // namespace
}  // namespace lunar
