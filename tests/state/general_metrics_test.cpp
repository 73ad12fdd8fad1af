#include "agent/state/general_metrics.h"

#include <doctest/doctest.h>

#include <string>

#include "flowengine/compile/metrics_spec.h"
#include "tests/state/metrics_page.h"

using namespace lunar;

namespace {

CallView a_call(std::string_view host = "api.example.com", double total_ms = 5) {
  CallView call;
  call.method = "GET";
  call.host = host;
  call.port = 443;
  call.path = "/v2/orders/17";
  call.consumer_tag = "shop";
  call.status = 200;
  call.total_ms = total_ms;
  call.provider_ms = total_ms / 2;
  call.bytes_in = 10;
  call.bytes_out = 90;
  return call;
}

MetricsPage page_of(const GeneralMetrics& metrics) {
  return metrics_page([&](MetricText& text) { metrics.write(text); });
}

std::shared_ptr<const MetricsSpec> spec(std::string_view text) {
  Diagnostics findings;
  auto out = std::make_shared<MetricsSpec>(read_metrics_spec(text, findings));
  CHECK(findings.list().empty());
  return out;
}

constexpr std::string_view total = "lunar_transaction_duration_milliseconds";

}  // namespace

TEST_CASE("general metrics: without metrics.yaml there is everything but the url") {
  GeneralMetrics metrics;
  metrics.add(a_call());
  metrics.add(a_call());
  CallView early = a_call();
  early.status = 429;
  early.provider_ms = std::nullopt;
  metrics.add(early);
  const MetricsPage page = page_of(metrics);
  CHECK(page.value("api_call_count_total") == 3);
  CHECK(page.value("api_call_count_total", {R"(http_method="GET",host="api.example.com",status_code="200")",
                                            R"(consumer_tag="shop",comm="",unit="",container="")"}) == 2);
  CHECK(page.value("api_call_size_bytes", {R"(status_code="429")"}) == 100);
  CHECK(page.value("lunar_transaction_duration_milliseconds_count") == 3);
  CHECK(page.value("lunar_provider_transaction_duration_milliseconds_count") == 2);
  CHECK(page.text.find("url=") == std::string::npos);
  CHECK(page.text.find("path=") == std::string::npos);
}

TEST_CASE("general metrics: labels, descriptions and buckets are those of metrics.yaml, and nothing else is exported") {
  GeneralMetrics metrics;
  metrics.set_spec(spec(R"(
general_metrics:
  label_value: [http_method, url, status_code]
  metric_value: [{name: transaction_duration, description: "how long\nit takes \\o/", buckets: [10, 2.5e1, 100]}]
)"));
  metrics.add(a_call("api.example.com", 10));
  metrics.add(a_call("api.example.com", 10.001));
  const MetricsPage page = page_of(metrics);
  CHECK(page.text.find("# HELP lunar_transaction_duration_milliseconds how long\\nit takes \\\\o/\n") == 0);
  CHECK_FALSE(page.has("api_call_count_total"));
  CHECK(page.value(std::string(total) + "_bucket", {R"(url="api.example.com/v2/orders/17")", R"(le="10")"}) == 1);
  CHECK(page.value(std::string(total) + "_bucket", {R"(le="25")"}) == 2);
  CHECK(page.value(std::string(total) + "_bucket", {R"(le="+Inf")"}) == 2);
  CHECK(page.count(std::string(total) + "_bucket") == 4);
  CHECK(page.text.find("host=") == std::string::npos);
}

TEST_CASE("general metrics: endpoints that were named have a label with their pattern, the most specific one") {
  GeneralMetrics metrics;
  metrics.set_spec(spec(R"(
general_metrics: {label_value: [host], metric_value: [{name: api_call_count, description: calls}]}
labeled_endpoints: ["api.example.com/v2/orders/{order}", "api.example.com/v2/*", "api.example.com/v2/orders/new"]
)"));
  for (const char* path : {"/v2/orders/1", "/v2/orders/2", "/v2/orders/new", "/v2/x/y", "/v3", "/"}) {
    CallView call = a_call();
    call.path = path;
    metrics.add(call);
  }
  const MetricsPage page = page_of(metrics);
  CHECK(page.value("api_call_count_total", {R"(path="/v2/orders/{order}")"}) == 2);
  CHECK(page.value("api_call_count_total", {R"(path="/v2/orders/new")"}) == 1);
  CHECK(page.value("api_call_count_total", {R"(path="/v2/*")"}) == 1);
  CHECK(page.value("api_call_count_total", {R"(path="")"}) == 2);
}

TEST_CASE("general metrics: a reload keeps values whose labels and bounds stay, and only those") {
  GeneralMetrics metrics;
  metrics.set_spec(spec(R"(
general_metrics: {label_value: [host], metric_value: [{name: api_call_count}, {name: transaction_duration, buckets: [10]}]}
)"));
  metrics.add(a_call());
  metrics.set_spec(spec(R"(
general_metrics: {label_value: [host], metric_value: [{name: api_call_count}, {name: transaction_duration, buckets: [20]}, {name: provider_transaction_duration}]}
)"));
  CHECK(page_of(metrics).value("api_call_count_total") == 1);
  CHECK_FALSE(page_of(metrics).has(std::string(total) + "_count"));
  CHECK(page_of(metrics).value("lunar_provider_transaction_duration_milliseconds_count") == 1);
  metrics.add(a_call());
  CHECK(page_of(metrics).value("api_call_count_total") == 2);
  CHECK(page_of(metrics).value(std::string(total) + "_count") == 1);
  metrics.set_spec(spec(R"(
general_metrics: {label_value: [host, status_code], metric_value: [{name: api_call_count}]}
)"));
  CHECK_FALSE(page_of(metrics).has("api_call_count_total"));
  metrics.add(a_call());
  CHECK(page_of(metrics).value("api_call_count_total", {R"(status_code="200")"}) == 1);
}

TEST_CASE("general metrics: values that differ behind 128 bytes are one series, and the page stays readable") {
  GeneralMetrics metrics;
  const std::string host(200, 'h');
  metrics.add(a_call(host + "1"));
  metrics.add(a_call(host + "2"));
  const MetricsPage page = page_of(metrics);
  CHECK(page.count("api_call_count_total") == 1);
  CHECK(page.value("api_call_count_total", {"host=\"" + std::string(128, 'h') + "\""}) == 2);
}

TEST_CASE("general metrics: what is above the limit of series is called other, also when it comes again") {
  GeneralMetrics metrics;
  for (int round = 0; round < 2; ++round)
    for (size_t i = 0; i < 10'050; ++i) metrics.add(a_call("h" + std::to_string(i)));
  std::string text;
  MetricText out(text, "gateway_id=\"x\"");
  metrics.write(out);
  size_t series = 0;
  for (size_t at = text.find("\napi_call_count_total{"); at != std::string::npos; ++series)
    at = text.find("\napi_call_count_total{", at + 1);
  CHECK(series == 10'001);
  CHECK(text.find("\napi_call_count_total{gateway_id=\"x\",http_method=\"other\",host=\"other\",status_code=\"other\","
                  "consumer_tag=\"other\",comm=\"other\",unit=\"other\",container=\"other\"} 100\n") !=
        std::string::npos);
}

TEST_CASE("call facts: a record is read as labels and discovery want it") {
  TransactionRecord record;
  record.started_ns = 1'000'000;
  record.ended_ns = 4'500'000;
  record.destination = *Endpoint::parse("[2001:db8::1]:8080");
  record.status = 204;
  record.set(TransactionText::method, "GET");
  record.set(TransactionText::host, "[2001:db8::2]:9000");
  record.set(TransactionText::path, "/a?token=secret");
  const RecordFacts facts(
      record,
      {.consumer_tag = "unit.service", .interceptor = "lunar-direct/0", .wall_offset_ns = 1'749'556'800'000'000'000});
  const CallView& call = facts.view();
  CHECK(call.host == "2001:db8::2");
  CHECK(call.port == 9000);
  CHECK(call.full_url() == "[2001:db8::2]:9000/a");
  CHECK(call.consumer_tag == "unit.service");
  CHECK(call.interceptor == "lunar-direct/0");
  CHECK(call.total_ms == 3.5);
  CHECK_FALSE(call.provider_ms);
  CHECK(call.started == WallTime(std::chrono::milliseconds(1'749'556'800'001)));

  TransactionRecord bare;
  bare.destination = *Endpoint::parse("198.18.0.1:80");
  bare.provider_started_ns = 5;
  const RecordFacts of_bare(bare, {});
  CHECK(of_bare.view().host == "198.18.0.1");
  CHECK(of_bare.view().full_url() == "198.18.0.1");
  CHECK(of_bare.view().provider_ms == 0.0);
}
