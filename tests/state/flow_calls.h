// Flows of a test, and what calls through them leave for metrics.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state/flow_metrics.h"
#include "flowengine/cases/simulation.h"
#include "flowengine/compile/compiler.h"
#include "tests/state/metrics_page.h"

namespace lunar {

using namespace std::chrono_literals;

inline constexpr Instant start{SteadyTime{1h}, WallTime{1'749'556'800s}};

// A flow that filters, counts, samples, collects and traces every call of api.example.com.
inline std::string everything(
    const std::string& metrics = "{enabled: true, labels: [flow_name, processor_key, http_method]}",
    const std::string& sampled = "") {
  return R"(
name: Everything
filter: {url: "api.example.com/*"}
processors:
  Split: {processor: Filter, parameters: [{key: method, value: POST}], metrics: )" +
         metrics + R"(}
  Spend: {processor: UserDefinedMetrics, parameters: [{key: metric_name, value: spent})" +
         sampled + R"(, {key: custom_metric_labels, value: {tenant: "$.request.headers.tenant"}}]}
  Span: {processor: UserDefinedTraces, parameters: [{key: trace_exporter_id, value: collector}]}
  Record: {processor: HARCollector, parameters: [{key: exporter_id, value: file}], metrics: )" +
         metrics + R"(}
flow:
  request:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Span}}}
    - {from: {processor: {name: Span}}, to: {processor: {name: Split}}}
    - {from: {processor: {name: Split, condition: hit}}, to: {processor: {name: Spend}}}
    - {from: {processor: {name: Split, condition: miss}}, to: {stream: {name: s, at: end}}}
    - {from: {processor: {name: Spend}}, to: {stream: {name: s, at: end}}}
  response:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Span}}}
    - {from: {processor: {name: Span}}, to: {processor: {name: Record}}}
    - {from: {processor: {name: Record}}, to: {stream: {name: s, at: end}}}
)";
}

inline std::shared_ptr<const Plan> plan_of(std::initializer_list<std::string> flows) {
  Sources sources;
  for (const std::string& flow : flows)
    sources.flows.push_back({"flows/" + std::to_string(sources.flows.size()) + ".yaml", flow});
  sources.gateway_config =
      SourceFile{"gateway_config.yaml",
                 "trace_exporter: {trace_exporter_id: collector, traces_endpoint: 'http://127.0.0.1:1/v1/traces'}"};
  const Compiled compiled = compile(sources, {});
  std::string findings;
  for (const Diagnostic& one : compiled.diagnostics.list()) findings += one.print() + "\n";
  INFO(findings);
  REQUIRE(compiled.plan != nullptr);
  return compiled.plan;
}

inline std::string metric_flow(const std::string& flow, const std::string& parameters) {
  return "name: " + flow + R"(
filter: {url: "api.example.com/*"}
processors: {M: {processor: UserDefinedMetrics, parameters: [)" +
         parameters + R"(]}}
flow:
  request:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: M}}}
    - {from: {processor: {name: M}}, to: {stream: {name: s, at: end}}}
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)";
}

inline CallFacts some_facts() {
  CallFacts facts;
  facts.method = "POST";
  facts.host = "api.example.com";
  facts.path = "/v1";
  facts.port = 443;
  facts.status = 200;
  facts.consumer_tag = "shop";
  facts.comm = "curl";
  facts.total_ms = 12;
  return facts;
}

inline uint32_t flow_of(const Plan& plan, std::string_view name) {
  return static_cast<uint32_t>(std::ranges::find(plan.flows, name, &Flow::name) - plan.flows.begin());
}

// What the flows of one call leave.
struct FlowCall {
  FlowRecord record;
  std::vector<SelectedFlow> flows;
  std::vector<RunTime> steps;

  // As a worker does.
  void hand_over(FlowRecordQueue& queue) const {
    const CallFacts& facts = record.facts;
    queue.count({.plan = record.plan,
                 .method = facts.method,
                 .host = facts.host,
                 .consumer_tag = facts.consumer_tag,
                 .replay = facts.attempt > 0,
                 .flows = flows,
                 .steps = steps});
    if (!record.empty()) REQUIRE(queue.try_push(record));
  }
};

inline FlowCall run(const std::shared_ptr<const Plan>& plan, const std::string& method = "POST",
                    HeaderList headers = {}) {
  Simulation simulation(plan, start);
  simulation.send("call", {.method = method, .url = "https://api.example.com/v1", .headers = std::move(headers)});
  if (simulation.at_provider("call")) simulation.answer("call", {.status = 200, .body = "fine"});
  FlowCall out;
  out.record.plan = plan;
  out.record.facts = some_facts();
  out.record.facts.method = method;
  out.record.emissions = simulation.emissions();
  for (const std::string& name : simulation.outcomes("call").flows)
    out.flows.push_back({.flow = flow_of(*plan, name), .params = {}});
  return out;
}

// A record with the emissions that a test writes itself.
inline FlowRecord with(const std::shared_ptr<const Plan>& plan, std::vector<Emission> emissions) {
  return {.plan = plan, .facts = some_facts(), .emissions = std::move(emissions)};
}

inline uint32_t instance_of(const Plan& plan, std::string_view key) {
  return static_cast<uint32_t>(std::ranges::find(plan.instances, key, &Instance::key) - plan.instances.begin());
}

struct MetricsScene {
  explicit MetricsScene(std::shared_ptr<const Plan> with, std::shared_ptr<const MetricsSpec> spec = nullptr)
      : plan(std::move(with)) {
    metrics.set_plan(plan, std::move(spec));
  }
  void add(const FlowCall& call) {
    FlowRecordQueue queue({});
    FlowRecordQueue::Batch batch;
    call.hand_over(queue);
    queue.take(batch);
    metrics.add(batch.tallies);
    for (const FlowRecord& record : batch.records) metrics.add(record);
  }
  [[nodiscard]] MetricsPage page(const FlowGauges& now = {}) {
    return metrics_page([&](MetricText& text) { metrics.write(text, now); });
  }
  std::shared_ptr<const Plan> plan;
  FlowMetrics metrics;
};

inline std::shared_ptr<const MetricsSpec> spec(std::string_view text) {
  Diagnostics findings;
  return std::make_shared<MetricsSpec>(read_metrics_spec(text, findings));
}

}  // namespace lunar
