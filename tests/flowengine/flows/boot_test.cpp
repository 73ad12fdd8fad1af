// Boot and reload (flows.md §1.5): what a file with an error takes down with it, and what goes on.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view to_limiter =
    "[{from: {stream: {name: s, at: start}}, to: {processor: {name: L}}},"
    " {from: {processor: {name: L, condition: above_limit}}, to: {processor: {name: G}}}]";
constexpr std::string_view from_answer = "[{from: {processor: {name: G}}, to: {stream: {name: s, at: end}}}]";

std::string limited(std::string_view name, std::string_view host, std::string_view quota) {
  return flow_with(name, "{url: \"" + std::string(host) + "/*\"}",
                   "{L: {processor: Limiter, parameters: [{key: quota_id, value: " + std::string(quota) +
                       "}]}, G: {processor: GenerateResponse, parameters: [{key: status, value: 429}]}}",
                   to_limiter, from_answer);
}

std::string plain(std::string_view name, std::string_view host = "h.example.com") {
  return flow_with(name, "{url: \"" + std::string(host) + "/*\"}", "{}", "");
}

std::string window(std::string_view id, std::string_view host, std::string_view rest) {
  return "quotas: [{id: " + std::string(id) + ", filter: {url: \"" + std::string(host) +
         "/*\"}, strategy: {fixed_window: {" + std::string(rest) + "}}}]";
}

std::string names(const Compiled& out) {
  std::string text;
  for (const Flow& flow : out.plan->flows) text += flow.name + " ";
  return text;
}

std::string skipped(const Compiled& out) {
  std::string text;
  for (const std::string& path : out.skipped) text += path + " ";
  return text;
}

TEST_CASE("boot: a file with an error is skipped, and traffic passes through the others") {
  FlowScene scene;
  scene.flow(plain("Good")).flow("name: Bad\nfilter: {}").flow("name: [").flow(plain("AlsoGood"));
  CHECK(scene.compiled().plan == nullptr);
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  REQUIRE(out.plan != nullptr);
  CHECK(names(out) == "Good AlsoGood ");
  CHECK(skipped(out) == "flows/02.yaml flows/03.yaml ");
  CHECK(out.diagnostics.has_errors());
}

TEST_CASE("boot: a flow that names a quota of a skipped file is skipped too, and says so") {
  FlowScene scene;
  scene.quota(window("Good", "a.example.com", "max: 1, interval: 1, interval_unit: hour"));
  scene.quota(window("Bad", "b.example.com", "max: 0, interval: 1, interval_unit: hour"));
  scene.flow(limited("UsesGood", "a.example.com", "Good")).flow(limited("UsesBad", "b.example.com", "Bad"));
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  REQUIRE(out.plan != nullptr);
  CHECK(names(out) == "UsesGood ");
  CHECK(skipped(out) == "flows/04.yaml quotas/02.yaml ");
  CHECK(scene.findings().contains("there is no quota \"Bad\", because its file has errors [quota-not-found]"));
}

TEST_CASE("boot: skipping goes on along a chain of flows that contain one another") {
  FlowScene scene;
  auto containing = [](std::string_view name, std::string_view inner) {
    const std::string other(inner);
    return flow_with(name, "{url: \"h.example.com/*\"}", "{M: {processor: MockProcessor}}",
                     "[{from: {stream: {name: s, at: start}}, to: {flow: {name: " + other +
                         ", at: start}}}, {from: {flow: {name: " + other + ", at: end}}, to: {processor: {name: M}}}]");
  };
  scene.flow(containing("A", "B")).flow(containing("B", "C")).flow("name: C\nfilter: {}").flow(plain("D"));
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  REQUIRE(out.plan != nullptr);
  CHECK(names(out) == "D ");
  CHECK(out.skipped.size() == 3);
}

TEST_CASE("boot: of two flows or quotas of one name the file that sorts first wins") {
  FlowScene scene;
  scene.quota(window("Q", "a.example.com", "max: 1, interval: 1, interval_unit: hour"));
  scene.quota(window("Q", "b.example.com", "max: 2, interval: 1, interval_unit: hour"));
  scene.flow(plain("F", "a.example.com")).flow(plain("F", "b.example.com"));
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  REQUIRE(out.plan != nullptr);
  REQUIRE(out.plan->flows.size() == 1);
  CHECK(out.plan->flows[0].file == "flows/03.yaml");
  REQUIRE(out.plan->quotas.nodes.size() == 1);
  CHECK(std::get<FixedWindow>(out.plan->quotas.nodes[0].strategy).max == 1);
}

TEST_CASE("boot: with nothing loadable there is a plan that lets everything through") {
  FlowScene scene;
  scene.flow("name: [").quota("quotas: 5").gateway("allowed_domains: [\"(\"]");
  scene.sources().metrics = SourceFile{"metrics.yaml", "general_metrics: 7"};
  scene.sources().path_params = {{"path_params/a.yaml", "path_params: [{url: \"h/*/x\"}]"}};
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  REQUIRE(out.plan != nullptr);
  CHECK(out.plan->empty());
  CHECK(out.skipped.size() == 5);
  Simulation run(out.plan, scene_start);
  run.send("a", call("GET http://h.example.com/"));
  CHECK(run.at_provider("a"));
}

TEST_CASE("boot: a metrics.yaml that is skipped selects nothing, so that the default holds") {
  FlowScene scene;
  scene.sources().metrics =
      SourceFile{"metrics.yaml", "general_metrics: {label_value: [url]}\nlabeled_endpoints: [\"h/*/x\"]"};
  scene.options().lenient = true;
  Compiled out = scene.compiled();
  CHECK(out.metrics.everything);
  CHECK(out.metrics.labels.empty());
  CHECK(skipped(out) == "metrics.yaml ");
}

TEST_CASE("boot: of a gateway_config.yaml that is skipped, what it says of single providers holds") {
  FlowScene scene;
  scene.gateway(
      "blocked_domains: [x, \"(\"]\nmTLS: [{domain: m, cert: c.pem}, {domain: n}]\n"
      "provider_tls: [{domain: a, min_version: 1.1}, {domain: b, ca: c.pem}]\n"
      "trace_exporter: {trace_exporter_id: t, traces_endpoint: \"b:1\"}");
  scene.options().lenient = true;
  const Compiled out = scene.compiled();
  CHECK(skipped(out) == "gateway_config.yaml ");
  CHECK(out.diagnostics.list().size() == 3);
  CHECK(out.gateway.blocked_domains.empty());
  CHECK_FALSE(out.gateway.trace_exporter);
  REQUIRE(out.gateway.client_certificates.size() == 2);
  CHECK(out.gateway.client_certificates[0].fault.empty());
  CHECK(out.gateway.client_certificates[1].fault.ends_with("`cert` is required here [bad-type]"));
  REQUIRE(out.gateway.provider_tls.size() == 2);
  CHECK(out.gateway.provider_tls[0].fault.ends_with("1.1 is not one of 1.2, 1.3 [out-of-range]"));
  CHECK(out.gateway.provider_tls[1].fault.empty());
  CHECK(out.gateway.provider_tls[1].ca->path == "c.pem");
}

TEST_CASE("boot: no configuration at all is a good one") {
  FlowScene scene;
  CHECK(scene.findings().empty());
  CHECK(scene.plan()->empty());
}

TEST_CASE("reload: one error in any file refuses the whole, and every file is read before the verdict") {
  FlowScene scene;
  scene.flow(plain("Good")).quota("quotas: 5").gateway("mTLS: 7");
  scene.sources().metrics = SourceFile{"metrics.yaml", "labeled_endpoints: {}"};
  scene.sources().path_params = {{"path_params/a.yaml", "path_params: 7"}};
  Compiled out = scene.compiled();
  CHECK(out.plan == nullptr);
  for (std::string_view file : {"quotas/02.yaml", "gateway_config.yaml", "metrics.yaml", "path_params/a.yaml"}) {
    CAPTURE(file);
    CHECK(std::ranges::any_of(out.diagnostics.list(), [file](const Diagnostic& one) { return one.file == file; }));
  }
}

// Counters

struct Reloaded {
  explicit Reloaded(std::string_view before) : run(plan(before), scene_start) {}
  static std::shared_ptr<const Plan> plan(std::string_view rest) {
    FlowScene scene;
    scene.flow(limited("F", "h.example.com", "Q")).quota(window("Q", "h.example.com", rest));
    return scene.plan();
  }
  bool admits(std::initializer_list<std::string_view> fields = {}) {
    const std::string name = std::to_string(++calls);
    run.send(name, call("GET http://h.example.com/", fields));
    return run.at_provider(name);
  }

  Simulation run;
  int calls = 0;
};

TEST_CASE("reload: a counter survives a change of max, and a lower one applies at once") {
  Reloaded scene("max: 3, interval: 1, interval_unit: hour");
  CHECK(scene.admits());
  CHECK(scene.admits());
  scene.run.reload(Reloaded::plan("max: 2, interval: 1, interval_unit: hour"));
  CHECK_FALSE(scene.admits());
  scene.run.reload(Reloaded::plan("max: 4, interval: 1, interval_unit: hour"));
  CHECK(scene.admits());
  CHECK(scene.admits());
  CHECK_FALSE(scene.admits());
}

TEST_CASE("reload: another interval, unit or group header begins anew") {
  constexpr std::string_view others[] = {"max: 1, interval: 2, interval_unit: hour",
                                         "max: 1, interval: 1, interval_unit: day",
                                         "max: 1, interval: 1, interval_unit: hour, group_by_header: x-team",
                                         "max: 1, interval: 1, interval_unit: hour, monthly_renewal: {day: 2}"};
  for (std::string_view other : others) {
    CAPTURE(other);
    Reloaded scene("max: 1, interval: 1, interval_unit: hour");
    CHECK(scene.admits());
    CHECK_FALSE(scene.admits());
    scene.run.reload(Reloaded::plan(other));
    CHECK(scene.admits());
    CHECK_FALSE(scene.admits());
  }
}

TEST_CASE("reload: who was at the provider finishes with the flows of the old configuration") {
  auto marked = [](std::string_view value) {
    FlowScene scene;
    scene.flow(flow_with("F", "{url: \"h.example.com/*\"}",
                         "{T: {processor: TransformAPICall, parameters: [{key: set, value: "
                         "{$.response.headers.x-plan: " +
                             std::string(value) + "}}]}}",
                         "", "[{from: {stream: {name: s, at: start}}, to: {processor: {name: T}}}]"));
    return scene.plan();
  };
  Simulation run(marked("old"), scene_start);
  run.send("a", call("GET http://h.example.com/"));
  run.reload(marked("new"));
  run.send("b", call("GET http://h.example.com/"));
  run.answer("a", {});
  run.answer("b", {});
  CHECK(field(run.outcomes("a").headers, "x-plan") == "old");
  CHECK(field(run.outcomes("b").headers, "x-plan") == "new");
}

TEST_CASE("reload: cached answers stay while their flow does, and are not there when it comes back") {
  auto cached = [](std::string_view name) {
    constexpr std::string_view rules = ", parameters: [{key: caching_key_parts, value: [$.request.path]}]}";
    return FlowScene()
        .flow(flow_with(
            name, "{url: \"h.example.com/*\"}",
            "{R: {processor: ReadCache" + std::string(rules) + ", W: {processor: WriteCache" + std::string(rules) + "}",
            "[{from: {stream: {name: s, at: start}}, to: {processor: {name: R}}}]",
            "[{from: {stream: {name: s, at: start}}, to: {processor: {name: W}}},"
            " {from: {processor: {name: R, condition: cache_hit}}, to: {stream: {name: s, at: end}}}]"))
        .plan();
  };
  Simulation run(cached("F"), scene_start);
  run.send("a", call("GET http://h.example.com/"));
  run.answer("a", {.body = "kept"});
  run.reload(cached("F"));
  run.send("b", call("GET http://h.example.com/"));
  CHECK(run.outcomes("b").body == "kept");
  CHECK(run.state().cache().bytes() > 0);
  run.reload(cached("Other"));
  CHECK(run.state().cache().entries() == 0);
  CHECK(run.state().cache().bytes() == 0);
  run.reload(cached("F"));
  run.send("c", call("GET http://h.example.com/"));
  CHECK(run.at_provider("c"));
}

TEST_CASE(
    "reload: the answer to a call of the old configuration is cached only where flow and key parts are the same") {
  struct Settings {
    std::string_view name = "F", parts = "$.request.path", ttl = "60";
  };
  auto cached = [](const Settings& settings) {
    const std::string parts = ", parameters: [{key: caching_key_parts, value: [" + std::string(settings.parts) + "]}";
    return FlowScene()
        .flow(flow_with(settings.name, "{url: \"h.example.com/*\"}",
                        "{R: {processor: ReadCache" + parts + "]}, W: {processor: WriteCache" + parts +
                            ", {key: ttl_seconds, value: " + std::string(settings.ttl) + "}]}}",
                        "[{from: {stream: {name: s, at: start}}, to: {processor: {name: R}}}]",
                        "[{from: {stream: {name: s, at: start}}, to: {processor: {name: W}}},"
                        " {from: {processor: {name: R, condition: cache_hit}}, to: {stream: {name: s, at: end}}}]"))
        .plan();
  };
  struct Row {
    Settings reloaded;
    size_t entries;
  };
  const Row rows[] = {{{.ttl = "30"}, 1},
                      {{.name = "Other"}, 0},
                      {{.parts = "$.request.method"}, 0},
                      {{.parts = "$.request.path, $.request.method"}, 0}};
  for (const Row& row : rows) {
    CAPTURE(row.reloaded.name);
    CAPTURE(row.reloaded.parts);
    Simulation run(cached({}), scene_start);
    run.send("before", call("GET http://h.example.com/"));
    run.reload(cached(row.reloaded));
    run.answer("before", {.body = "kept"});
    CHECK(run.outcomes("before").body == "kept");
    CHECK(run.state().cache().entries() == row.entries);
    run.reload(cached({}));
    run.send("back", call("GET http://h.example.com/"));
    CHECK(run.at_provider("back") == (row.entries == 0));
  }
}

TEST_CASE("reload: cached answers are not there when their key parts come back") {
  auto cached = [](std::string_view part) {
    const std::string rules = ", parameters: [{key: caching_key_parts, value: [" + std::string(part) + "]}]}";
    return FlowScene()
        .flow(flow_with("F", "{url: \"h.example.com/*\"}",
                        "{R: {processor: ReadCache" + rules + ", W: {processor: WriteCache" + rules + "}",
                        "[{from: {stream: {name: s, at: start}}, to: {processor: {name: R}}}]",
                        "[{from: {stream: {name: s, at: start}}, to: {processor: {name: W}}}]"))
        .plan();
  };
  Simulation run(cached("$.request.path"), scene_start);
  run.send("a", call("GET http://h.example.com/"));
  run.answer("a", {.body = "kept"});
  REQUIRE(run.state().cache().entries() == 1);
  run.reload(cached("$.request.method"));
  CHECK(run.state().cache().bytes() == 0);
  run.reload(cached("$.request.path"));
  run.send("b", call("GET http://h.example.com/"));
  CHECK(run.at_provider("b"));
}

TEST_CASE("reload: who waits in a line finishes with the flows of the old configuration") {
  auto lined_up = [](std::string_view mark) {
    FlowScene scene;
    scene.quota(
        "quotas: [{id: Q, filter: {url: \"h.example.com/*\"}, strategy: {concurrent: {max_request_count: 1}}}]");
    scene.flow(
        flow_with("F", "{url: \"h.example.com/*\"}",
                  "{W: {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 5}]}, "
                  "T: {processor: TransformAPICall, parameters: [{key: set, value: {$.request.headers.x-plan: " +
                      std::string(mark) + "}}]}}",
                  "[{from: {stream: {name: s, at: start}}, to: {processor: {name: W}}}, "
                  "{from: {processor: {name: W, condition: allowed}}, to: {processor: {name: T}}}]"));
    return scene.plan();
  };
  Simulation run(lined_up("old"), scene_start);
  run.send("a", call("GET http://h.example.com/"));
  run.send("b", call("GET http://h.example.com/"));
  run.reload(lined_up("new"));
  run.send("c", call("GET http://h.example.com/"));
  CHECK_FALSE(run.at_provider("b"));
  run.answer("a", {});
  REQUIRE(run.at_provider("b"));
  CHECK_FALSE(run.at_provider("c"));  // the slot is that of the surviving counter
  run.answer("b", {});
  REQUIRE(run.at_provider("c"));
  CHECK(field(run.outcomes("b").sent.at(0).headers, "x-plan") == "old");
  CHECK(field(run.outcomes("c").sent.at(0).headers, "x-plan") == "new");
}

}  // namespace
}  // namespace lunar
