#include "agent/state/flow_reports.h"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/state/general_metrics.h"
#include "tests/state/directory.h"
#include "tests/state/flow_calls.h"
#include "tests/state/metrics_page.h"
#include "tests/state/trace_collector.h"

using namespace lunar;

TEST_CASE("flow reports: a record reaches metrics, HAR file and collector; without exporters its entries are counted") {
  const Directory directory;
  EventLoop loop = *EventLoop::create();
  TraceCollector collector(loop);
  FlowRecordQueue queue({});
  FlowReports reports(queue);
  const auto plan = plan_of({everything()});
  reports.metrics().set_plan(plan, nullptr);
  run(plan).hand_over(queue);
  reports.drain(start.steady);

  reports.set_har_file(std::make_unique<HarFile>(HarFileOptions{.path = directory.file("har")}));
  reports.set_trace_sender(std::make_unique<TraceSender>(
      loop, TraceSenderOptions{.endpoint = "http://127.0.0.1:1/v1/traces", .flush_interval = 0ms},
      [&](const std::string&, uint16_t, const TraceSender::Resolved& done) { done({collector.at()}); }));
  run(plan).hand_over(queue);
  reports.drain(start.steady);
  REQUIRE(reports.har_file()->flush());
  run_until(loop, [&] { return reports.trace_sender()->idle(); });

  const auto lines = lines_of(directory.file("har"));
  REQUIRE(lines.size() == 1);
  CHECK(Json::parse(lines[0]).at("request").at("url") == "https://api.example.com/v1");
  REQUIRE(collector.requests().size() == 1);
  CHECK(collector.requests()[0].body.find(R"("name":"POST api.example.com/v1")") != std::string::npos);
  const MetricsPage page = metrics_page([&](MetricText& text) { reports.write(text, {}); });
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="file")"}) == 1);
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="trace")"}) == 1);
  CHECK(page.value("lunar_har_collector_processor_aggregated_har_dump_size_bytes_total") ==
        static_cast<double>(lines[0].size() + 1));
  CHECK(page.value("flow_invocations_total") == 2);
}

TEST_CASE("flow reports: with a collector of its own the gateway makes a span of each attempt, and without one none") {
  EventLoop loop = *EventLoop::create();
  TraceCollector collector(loop);
  FlowRecordQueue queue({});
  FlowReports reports(queue);
  const CallFacts call = some_facts();
  reports.observe(call.view());
  const auto sender_that_waits = [&](Nanoseconds interval) {
    return std::make_unique<TraceSender>(
        loop, TraceSenderOptions{.endpoint = "http://127.0.0.1:1/v1/traces", .flush_interval = interval},
        [&](const std::string&, uint16_t, const TraceSender::Resolved& done) { done({collector.at()}); });
  };
  reports.set_own_trace_sender(sender_that_waits(0ms));
  reports.observe(call.view());
  run_until(loop, [&] { return reports.own_trace_sender()->idle(); });
  REQUIRE(collector.requests().size() == 1);
  CHECK(collector.requests()[0].body.find(R"("name":"POST api.example.com/v1")") != std::string::npos);

  reports.set_own_trace_sender(sender_that_waits(1h));
  reports.observe(call.view());
  reports.set_own_trace_sender(nullptr);
  reports.observe(call.view());
  const MetricsPage page = metrics_page([&](MetricText& text) { reports.write(text, {}); });
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="own_trace")"}) == 1);
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="trace")"}) == 0);
}

TEST_CASE("flow reports: spans that wait when the collector changes are lost, and counted") {
  EventLoop loop = *EventLoop::create();
  FlowRecordQueue queue({});
  FlowReports reports(queue);
  const auto plan = plan_of({everything()});
  reports.metrics().set_plan(plan, nullptr);
  reports.set_trace_sender(std::make_unique<TraceSender>(
      loop, TraceSenderOptions{.endpoint = "http://127.0.0.1:1/v1/traces", .flush_interval = 1h},
      [](const std::string&, uint16_t, const TraceSender::Resolved&) {}));
  run(plan).hand_over(queue);
  reports.drain(start.steady);
  REQUIRE(reports.trace_sender()->unsent() == 1);
  reports.set_trace_sender(nullptr);
  const MetricsPage page = metrics_page([&](MetricText& text) { reports.write(text, {}); });
  CHECK(page.value("lunar_exporter_dropped_total", {R"(exporter="trace")"}) == 1);
}

namespace {

// Every series that there can be for a plan whose instance Split and flow Everything are those of everything().
MetricsPage full_page(const std::shared_ptr<const Plan>& plan) {
  FlowRecordQueue queue({});
  FlowReports reports(queue);
  reports.metrics().set_plan(plan, nullptr);
  FlowCall call = run(plan, "POST", {{"tenant", "odd \"\\\xff"}});
  call.steps = {{0, 0, 1ms}};
  FlowRecord& record = call.record;
  record.stays = {{.instance = instance_of(*plan, "Split"), .group = "g", .waited = 5ms, .ttl = 1s}};
  for (uint8_t meter = 0; meter <= static_cast<uint8_t>(emission::Meter::llm_tokens); ++meter)
    record.emissions.emplace_back(
        emission::Measure{.meter = static_cast<emission::Meter>(meter), .instance = instance_of(*plan, "Split")});
  record.emissions.emplace_back(emission::ProcessorFailed{.instance = 0, .reason = "x"});
  record.emissions.emplace_back(emission::ScriptFailed{.instance = 0});
  record.emissions.emplace_back(emission::Shadowed{.flow = 0});
  record.emissions.emplace_back(emission::BodyViewSkipped{.reason = "x"});
  record.emissions.emplace_back(emission::UserMetricSkipped{.instance = 0});
  call.hand_over(queue);
  reports.drain(start.steady);
  reports.metrics().count_reload(true);
  reports.metrics().count_store_failure("deny");
  GeneralMetrics general;
  const CallFacts facts = some_facts();
  general.add(facts.view());
  const std::vector<NodeView> quotas{{.id = "Q", .strategy = "concurrent", .groups = {{"default", 2, 1, {}, {}}}}};
  const std::vector<LineNumber> lines{{.flow = "Everything", .key = "Split", .group = "g", .waiting = 1}};
  return metrics_page([&](MetricText& text) {
    general.write(text);
    reports.write(text, {.quotas = quotas, .lines = lines});
  });
}

}  // namespace

TEST_CASE("metrics page: promtool has nothing to say but that milliseconds are no base unit") {
  const MetricsPage page = full_page(plan_of(
      {everything(), metric_flow("A", "{key: metric_name, value: waited}, {key: metric_type, value: histogram}"),
       metric_flow("B", "{key: metric_name, value: open}, {key: metric_type, value: up_down_counter}")}));
  for (const char* name : {"lunar_script_failures_total", "lunar_shadow_decisions_total"}) CHECK(page.has(name));
  CHECK(promtool_findings(page.text) == "");
  CHECK(promtool_findings("a{b=\"c\"} 1\na{b=\"c\" 1\n") != "");
}

TEST_CASE("metrics page: none of our names is free for a metric of a flow") {
  const auto page_with = [](const std::string& metric) {
    MetricsScene scene(plan_of(
        {metric_flow("F", "{key: metric_name, value: " + metric + "}, {key: metric_type, value: up_down_counter}")}));
    scene.add(run(scene.plan));
    return scene.page();
  };
  const MetricsPage honest = page_with("honest");
  REQUIRE(honest.value("lunar_honest") == 1);
  std::set<std::string> names;
  for (const MetricsPage::Sample& sample : full_page(plan_of({everything()})).samples)
    if (sample.name.starts_with("lunar_") && sample.name != "lunar_spent_total") names.insert(sample.name);
  CHECK(names.contains("lunar_shadow_decisions_total"));
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(page_with(name.substr(6)).count(name) == honest.count(name));
  }
}
