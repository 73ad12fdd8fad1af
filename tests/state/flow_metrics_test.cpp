#include "agent/state/flow_metrics.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/state/flow_calls.h"
#include "tests/state/metrics_page.h"

using namespace lunar;

TEST_CASE("flow metrics: what flows emit is counted by the labels that were chosen") {
  MetricsScene scene(plan_of({everything()}));
  scene.add(run(scene.plan, "POST", {{"tenant", "a"}}));
  scene.add(run(scene.plan, "POST", {{"tenant", "b"}}));
  scene.add(run(scene.plan, "GET"));
  const MetricsPage page = scene.page();
  CHECK(page.value("active_flows", {R"(flow_name="Everything")"}) == 1);
  CHECK(page.value("flow_invocations_total",
                   {R"(flow_name="Everything",http_method="POST",host="api.example.com",consumer_tag="shop")"}) == 2);
  CHECK(page.value("flow_invocations_total") == 3);
  CHECK(scene.metrics.runs_of("Everything") == 3);
  CHECK(scene.metrics.runs_of("Other") == 0);
  CHECK(page.value("requests_through_flows_total", {R"(http_method="GET")"}) == 1);
  CHECK(page.text.find("requests_through_flows_total{gateway_id=\"gateway-x\",flow_name") == std::string::npos);
  CHECK(page.value("lunar_filter_processor_hit_count_total",
                   {R"(flow_name="Everything",processor_key="Split",http_method="POST")"}) == 2);
  CHECK(page.value("lunar_filter_processor_miss_count_total", {R"(http_method="GET")"}) == 1);
  CHECK(page.value("lunar_spent_total", {R"(tenant="a")"}) == 1);
  CHECK(page.value("lunar_spent_total") == 2);
}

TEST_CASE("flow metrics: a processor that is not measured has no series, one without labels has one") {
  MetricsScene off(plan_of({everything("{enabled: false, labels: [http_method]}")}));
  off.add(run(off.plan));
  off.metrics.add_har_bytes(run(off.plan).record, instance_of(*off.plan, "Record"), 100);
  CHECK(off.page().text.find("lunar_filter") == std::string::npos);
  CHECK(off.page().text.find("lunar_har") == std::string::npos);

  MetricsScene bare(plan_of({everything("{enabled: true}")}));
  bare.add(run(bare.plan, "POST"));
  bare.add(run(bare.plan, "POST"));
  bare.metrics.add_har_bytes(run(bare.plan).record, instance_of(*bare.plan, "Record"), 100);
  CHECK(bare.page().text.find("lunar_filter_processor_hit_count_total{gateway_id=\"gateway-x\"} 2\n") !=
        std::string::npos);
  CHECK(bare.page().value("lunar_har_collector_processor_aggregated_har_dump_size_bytes_total") == 100);
}

TEST_CASE("flow metrics: every meter has the name of the table") {
  const auto plan = plan_of({everything("{enabled: true, labels: [flow_name]}")});
  MetricsScene scene(plan);
  const std::pair<emission::Meter, const char*> names[] = {
      {emission::Meter::limiter_below, "lunar_limiter_processor_below_count_total"},
      {emission::Meter::limiter_above, "lunar_limiter_processor_above_count_total"},
      {emission::Meter::generated, "lunar_generated_response_count_total"},
      {emission::Meter::retry, "lunar_retry_processor_retry_count_total"},
      {emission::Meter::retry_failed, "lunar_retry_processor_failed_retry_count_total"},
      {emission::Meter::cache_hit, "lunar_read_cache_processor_cache_hit_total"},
      {emission::Meter::cache_miss, "lunar_read_cache_processor_cache_miss_total"},
      {emission::Meter::cache_bytes_served, "lunar_read_cache_processor_cache_size_served_bytes_total"},
      {emission::Meter::cache_bytes_written, "lunar_write_cache_processor_cache_size_written_bytes_total"},
      {emission::Meter::cache_entries_written, "lunar_write_cache_processor_cache_entries_written_total"},
      {emission::Meter::llm_tokens, "lunar_llm_tokens_count_total"},
  };
  double amount = 0;
  for (const auto& [meter, name] : names) {
    emission::Measure measured{.meter = meter, .instance = 0, .amount = ++amount};
    if (meter == emission::Meter::llm_tokens) measured.model = "gpt", measured.encoding = "o200k_base";
    scene.metrics.add(with(plan, {measured}));
    CHECK(scene.page().value(name) == amount);
  }
  CHECK(scene.page().value("lunar_llm_tokens_count_total",
                           {R"(flow_name="Everything",model="gpt",model_type="",encoding="o200k_base")"}) == 11);
}

TEST_CASE("flow metrics: a replay is another invocation, and no further request") {
  MetricsScene scene(plan_of({everything()}));
  FlowCall call = run(scene.plan);
  scene.add(call);
  call.record.facts.attempt = 1;
  scene.add(call);
  CHECK(scene.page().value("flow_invocations_total") == 2);
  CHECK(scene.page().value("requests_through_flows_total") == 1);
}

TEST_CASE("flow metrics: times are averages of runs") {
  MetricsScene scene(plan_of({everything()}));
  FlowCall call = run(scene.plan);
  call.steps = {{0, instance_of(*scene.plan, "Split"), 2ms}, {0, instance_of(*scene.plan, "Span"), 500us}};
  scene.add(call);
  call.steps[0].spent = 4ms;
  scene.add(call);
  const MetricsPage page = scene.page();
  CHECK(page.value("avg_processor_execution_time", {R"(flow_name="Everything",processor_key="Split")"}) == 3);
  CHECK(page.value("processor_invocation", {R"(processor_key="Split")"}) == 2);
  CHECK(page.value("avg_flow_execution_time", {R"(flow_name="Everything")"}) == 3.5);
}

TEST_CASE("flow metrics: metrics.yaml chooses and describes the system metrics, and leaves the others") {
  MetricsScene scene(plan_of({everything()}), spec("system_metrics: [{name: flow_invocations, description: runs}]"));
  scene.add(run(scene.plan));
  const MetricsPage page = scene.page();
  CHECK(page.text.find("# HELP flow_invocations_total runs\n") != std::string::npos);
  CHECK_FALSE(page.has("active_flows"));
  CHECK_FALSE(page.has("requests_through_flows_total"));
  CHECK(page.has("lunar_filter_processor_hit_count_total"));
}

TEST_CASE("flow metrics: failures, skipped views, reloads and stores are counted by reason") {
  const auto plan = plan_of({everything()});
  MetricsScene scene(plan);
  scene.metrics.add(with(plan, {emission::ProcessorFailed{.instance = 0, .reason = "timeout"},
                                emission::ProcessorFailed{.instance = 0, .reason = "timeout"},
                                emission::BodyViewSkipped{.response = true, .reason = "size"},
                                emission::BodyViewSkipped{.response = false, .reason = "coding"},
                                emission::UserMetricSkipped{.instance = 0}}));
  scene.metrics.count_reload(true);
  scene.metrics.count_reload(false);
  scene.metrics.count_reload(false);
  scene.metrics.count_store_failure("allow");
  scene.metrics.set_skipped_files(3);
  const MetricsPage page = scene.page();
  const std::string key = plan->instances[0].key;
  CHECK(page.value("lunar_processor_failures_total",
                   {R"(flow_name="Everything",processor_key=")" + key + R"(",reason="timeout")"}) == 2);
  CHECK(page.value("lunar_body_view_skipped_total", {R"(phase="response",reason="size")"}) == 1);
  CHECK(page.value("lunar_body_view_skipped_total", {R"(phase="request",reason="coding")"}) == 1);
  CHECK(page.value("lunar_user_metric_skipped_total") == 1);
  CHECK(page.value("lunar_config_reloads_total", {R"(result="ok")"}) == 1);
  CHECK(page.value("lunar_config_reloads_total", {R"(result="refused")"}) == 2);
  CHECK(page.value("lunar_store_failures_total", {R"(policy="allow")"}) == 1);
  CHECK(page.value("lunar_config_skipped_files") == 3);
}

TEST_CASE("flow metrics: scripts that failed and decisions of shadow mode are counted by whose they are") {
  const auto plan = plan_of({everything(), metric_flow("Quiet", "{key: metric_name, value: quiet}")});
  MetricsScene scene(plan);
  CHECK_FALSE(scene.page().has("lunar_script_failures_total"));
  CHECK_FALSE(scene.page().has("lunar_shadow_decisions_total"));
  const uint32_t split = instance_of(*plan, "Split");
  const uint32_t everything_flow = flow_of(*plan, "Everything"), quiet_flow = flow_of(*plan, "Quiet");
  scene.metrics.add(with(plan, {emission::ScriptFailed{.instance = split, .text = "it threw"},
                                emission::ScriptFailed{.instance = split, .text = "another reason"},
                                emission::Shadowed{.flow = everything_flow, .decision = "would answer with 429"},
                                emission::Shadowed{.flow = quiet_flow, .decision = "would send the request again"},
                                emission::Shadowed{.flow = quiet_flow, .decision = "would answer with 503"}}));
  const MetricsPage page = scene.page();
  CHECK(page.value("lunar_script_failures_total", {R"(flow_name="Everything",processor_key="Split")"}) == 2);
  CHECK(page.count("lunar_script_failures_total") == 1);
  CHECK(page.value("lunar_shadow_decisions_total", {R"(flow_name="Everything")"}) == 1);
  CHECK(page.value("lunar_shadow_decisions_total", {R"(flow_name="Quiet")"}) == 2);
  CHECK_FALSE(page.has("lunar_processor_failures_total"));
}

TEST_CASE("flow metrics: an answer that a flow in shadow mode would have given is counted") {
  MetricsScene scene(plan_of({R"(
name: Shadow
mode: shadow
filter: {url: "api.example.com/*"}
processors: {Teapot: {processor: GenerateResponse, parameters: [{key: status, value: 418}]}}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {processor: {name: Teapot}}}]
  response: [{from: {processor: {name: Teapot}}, to: {stream: {name: s, at: end}}}]
)"}));
  scene.add(run(scene.plan));
  CHECK(scene.page().value("lunar_shadow_decisions_total", {R"(flow_name="Shadow")"}) == 1);
  CHECK(scene.page().value("flow_invocations_total", {R"(flow_name="Shadow")"}) == 1);
}

TEST_CASE("flow metrics: quotas show what the current window has used, also above the limit") {
  MetricsScene scene(plan_of({everything()}));
  const std::vector<NodeView> quotas{
      {.id = "Daily", .strategy = "fixed_window", .groups = {{"default", 10, 12, {}, {}}, {"b", 15, 1, {}, {}}}},
      {.id = "Unknown", .strategy = "header_based"}};
  const MetricsPage page = scene.page({.quotas = quotas});
  CHECK(page.value("lunar_resources_quota_resource_quota_limit", {R"(quota_id="Daily")"}) == 15);
  CHECK(page.count("lunar_resources_quota_resource_quota_limit") == 1);
  CHECK(page.value("lunar_resources_quota_resource_quota_used", {R"(group_id="Daily_default")"}) == 12);
  CHECK(page.value("lunar_resources_quota_resource_quota_used", {R"(group_id="Daily_b")"}) == 1);
}

TEST_CASE("queue metrics: who waits, who has left, and how long it took in shares of the ttl") {
  const auto plan = plan_of({everything("{enabled: true, labels: [flow_name, http_method]}")});
  MetricsScene scene(plan);
  const uint32_t instance = instance_of(*plan, "Split");  // whose type does not matter here
  FlowRecord record = with(plan, {});
  record.stays = {{.instance = instance, .priority = 1, .group = "g", .waited = 5ms, .ttl = 1s},
                  {.instance = instance, .priority = 1, .group = "g", .waited = 250ms, .ttl = 1s},
                  {.instance = instance, .priority = 1, .group = "g", .expired = true, .waited = 1s, .ttl = 1s}};
  scene.metrics.add(record);
  std::vector<LineNumber> lines{{.flow = "Everything", .key = "Split", .group = "g", .priority = 1, .waiting = 4}};
  const MetricsPage page = scene.page({.lines = lines});
  const std::string time = "lunar_processor_queue_requests_time_in_queue_milliseconds";
  const std::string line = R"(flow_name="Everything",http_method="POST",priority="1",group="g")";
  CHECK(page.value("lunar_processor_queue_requests_handled_total", {line + R"(,ttl_expired="false")"}) == 2);
  CHECK(page.value("lunar_processor_queue_requests_handled_total", {line + R"(,ttl_expired="true")"}) == 1);
  CHECK(page.value(time + "_bucket", {line + R"(,le="10")"}) == 1);
  CHECK(page.value(time + "_bucket", {line + R"(,le="250")"}) == 2);
  CHECK(page.value(time + "_bucket", {line + R"(,le="750")"}) == 2);
  CHECK(page.value(time + "_bucket", {line + R"(,le="1000")"}) == 3);
  CHECK(page.count(time + "_bucket") == 6);
  CHECK(page.value("lunar_processor_queue_requests_in_queue", {R"(flow_name="Everything",priority="1",group="g")"}) ==
        4);
  CHECK(scene.page().value("lunar_processor_queue_requests_in_queue") == 0);
}

TEST_CASE("flow metrics: a reload keeps what is still defined, and old records still count") {
  const auto before = plan_of({everything(), metric_flow("Gone", "{key: metric_name, value: gone}"),
                               metric_flow("Kind", "{key: metric_name, value: kind}")});
  MetricsScene scene(before);
  FlowCall call = run(before);
  call.steps = {{0, 0, 1ms}};
  scene.add(call);
  CHECK(scene.page().value("lunar_gone_total") == 1);
  CHECK(scene.page().value("active_flows") == 3);

  const auto after =
      plan_of({everything(), metric_flow("Kind", "{key: metric_name, value: kind}, {key: metric_type, value: gauge}")});
  scene.metrics.set_plan(after, nullptr);
  MetricsPage page = scene.page();
  CHECK(page.value("active_flows") == 2);
  CHECK(page.value("lunar_spent_total") == 1);
  CHECK_FALSE(page.has("lunar_gone_total"));
  CHECK_FALSE(page.has("lunar_kind_total"));
  CHECK(page.value("processor_invocation") == 1);

  scene.add(call);
  scene.add(run(after));
  page = scene.page();
  CHECK(page.value("lunar_spent_total") == 3);
  CHECK(page.value("lunar_kind") == 1);
  CHECK_FALSE(page.has("lunar_gone_total"));
}
