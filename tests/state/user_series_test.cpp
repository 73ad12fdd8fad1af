#include "agent/state/user_series.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/state/flow_calls.h"
#include "tests/state/metrics_page.h"

using namespace lunar;

TEST_CASE("user metrics: each kind does with its samples what its name says") {
  const auto plan = plan_of({
      metric_flow("A", "{key: metric_name, value: up}, {key: metric_value, value: '$.request.headers.n'}"),
      metric_flow("B",
                  "{key: metric_name, value: both}, {key: metric_type, value: up_down_counter}, "
                  "{key: metric_value, value: '$.request.headers.n'}"),
      metric_flow("C",
                  "{key: metric_name, value: last}, {key: metric_type, value: gauge}, "
                  "{key: metric_value, value: '$.request.headers.n'}"),
      metric_flow("D",
                  "{key: metric_name, value: spread}, {key: metric_type, value: histogram}, "
                  "{key: metric_value, value: '$.request.headers.n'}, {key: buckets, value: [1, 10]}, "
                  "{key: labels, value: [http_method, comm]}"),
  });
  MetricsScene scene(plan);
  for (const char* number : {"5", "10", "-2.5", "none"}) scene.add(run(plan, "POST", {{"n", number}}));
  const MetricsPage page = scene.page();
  CHECK(page.value("lunar_up_total") == 15);
  CHECK(page.value("lunar_both") == 12.5);
  CHECK(page.value("lunar_last") == -2.5);
  CHECK(page.value("lunar_spread_bucket", {R"(http_method="POST",comm="curl",le="1")"}) == 1);
  CHECK(page.value("lunar_spread_bucket", {R"(le="10")"}) == 3);
  CHECK(page.value("lunar_spread_sum") == 12.5);
  CHECK(page.value("lunar_user_metric_skipped_total", {R"(flow_name="A")"}) == 2);  // no number, and downwards
  CHECK(page.value("lunar_user_metric_skipped_total", {R"(flow_name="C")"}) == 1);
}

TEST_CASE("user metrics: a thousand sets of custom labels, then other") {
  const auto plan = plan_of({everything()});
  MetricsScene scene(plan);
  const uint32_t instance = instance_of(*plan, "Spend");
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < UserSeries::custom_sets_limit + 5; ++i) {
      scene.metrics.add(with(
          plan, {emission::UserMetric{.instance = instance, .value = 1, .labels = {{"tenant", std::to_string(i)}}}}));
    }
  }
  const MetricsPage page = scene.page();
  CHECK(page.count("lunar_spent_total") == UserSeries::custom_sets_limit + 1);
  CHECK(page.value("lunar_spent_total", {R"(tenant="other")"}) == 10);
  CHECK(page.value("lunar_spent_total", {R"(tenant="999")"}) == 2);
}

TEST_CASE("user metrics: names and labels of an operator never break the page") {
  const auto plan = plan_of({
      metric_flow("A", "{key: metric_name, value: failsafe_state}, {key: metric_type, value: gauge}"),
      metric_flow("B",
                  "{key: metric_name, value: seen}, {key: labels, value: [host]}, "
                  "{key: custom_metric_labels, value: {host: '$.request.path', le: '$.request.path', "
                  "gateway_id: '$.request.path', ok: '$.request.path'}}"),
      metric_flow("C", "{key: metric_name, value: seen_total}, {key: metric_type, value: gauge}"),
      metric_flow("D",
                  "{key: metric_name, value: transaction_duration_milliseconds_sum}, "
                  "{key: metric_type, value: gauge}"),
      metric_flow("E", "{key: metric_name, value: h}, {key: metric_type, value: histogram}"),
      metric_flow("F", "{key: metric_name, value: h_count}, {key: metric_type, value: gauge}"),
  });
  MetricsScene scene(plan);
  scene.add(run(plan));
  const MetricsPage page = scene.page();
  CHECK_FALSE(page.has("lunar_failsafe_state"));
  CHECK_FALSE(page.has("lunar_transaction_duration_milliseconds_sum"));
  CHECK(page.value("lunar_seen_total", {R"(host="api.example.com",ok="/v1")"}) == 1);
  CHECK(page.count("lunar_seen_total") == 1);
  CHECK(page.value("lunar_h_count") == 1);
}
