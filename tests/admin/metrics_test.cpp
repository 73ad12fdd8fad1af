#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "agent/admin/gateway_metrics.h"
#include "agent/base/metric_text.h"
#include "tests/admin/doubles.h"

using namespace lunar;
using namespace lunar::admin;
using namespace lunar::admin::testing;

namespace {

struct Sample {
  std::string name;
  std::string labels;
  double value;
};

// A strict reader of the text format, that fails the test on what Prometheus would refuse.
std::vector<Sample> read_page(const std::string& page) {
  static const std::regex sample_form(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+))re");
  std::vector<Sample> samples;
  std::set<std::string> families;
  std::set<std::string> series;
  std::string family;
  std::string kind;
  std::istringstream lines(page);
  CHECK(page.ends_with('\n'));
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(families.insert(family).second);
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      REQUIRE(line.substr(7, family.size() + 1) == family + " ");
      kind = line.substr(8 + family.size());
      CHECK((kind == "counter" || kind == "gauge" || kind == "histogram"));
      CHECK((kind == "counter") == family.ends_with("_total"));
      continue;
    }
    std::smatch match;
    REQUIRE(std::regex_match(line, match, sample_form));
    Sample sample{match[1], match[2], std::stod(match[3])};
    const bool of_family = kind == "histogram" ? sample.name == family + "_bucket" || sample.name == family + "_sum" ||
                                                     sample.name == family + "_count"
                                               : sample.name == family;
    CHECK(of_family);
    CHECK(series.insert(sample.name + sample.labels).second);
    CHECK(sample.labels.find("gateway_id=\"gateway-x\"") != std::string::npos);
    samples.push_back(std::move(sample));
  }
  return samples;
}

double value_of(const std::vector<Sample>& samples, const std::string& name, const std::string& label = "") {
  double sum = 0;
  bool found = false;
  for (const Sample& sample : samples) {
    if (sample.name != name || sample.labels.find(label) == std::string::npos) continue;
    sum += sample.value;
    found = true;
  }
  CAPTURE(name);
  CAPTURE(label);
  REQUIRE(found);
  return sum;
}

constexpr size_t series_limit = 10'000;
constexpr uint64_t kMs = 1'000'000;

TransactionRecord an_attempt(std::string_view host, uint64_t milliseconds, uint16_t status = 200) {
  TransactionRecord record;
  record.started_ns = 1000 * kMs;
  record.provider_started_ns = 1000 * kMs;
  record.provider_ended_ns = record.ended_ns = (1000 + milliseconds) * kMs;
  record.status = status;
  record.bytes_in = 10;
  record.bytes_out = 90;
  record.set(TransactionText::method, "GET");
  record.set(TransactionText::host, host);
  return record;
}

Caller a_caller() {
  Process process;
  process.pid = 42;
  process.comm = "py\"thon\\3\n";
  process.unit = "shop.service";
  return describe(process);
}

}  // namespace

TEST_CASE("metric text: escapes, cuts and mends label values") {
  std::string labels;
  append_label(labels, "a", "quote\" back\\ line\n");
  CHECK(labels == R"(a="quote\" back\\ line\n")");
  append_label(labels, "b", "bad\xff");
  CHECK(labels.ends_with("b=\"bad\xEF\xBF\xBD\""));
  std::string cut;
  append_label(cut, "c", std::string(127, 'x') + "\u00e4yz");
  CHECK(cut == "c=\"" + std::string(127, 'x') + "\"");
}

TEST_CASE("metrics page: is well formed with odd texts in it, and every series names the gateway") {
  GatewayDouble gateway;
  gateway.counts.opaque[static_cast<size_t>(OpaqueReason::tls)] = 5;
  gateway.counts.errors[7] = 2;
  gateway.direct.emplace_back("od\"d\\", 1);
  TransactionMetrics transactions;
  const Caller caller = a_caller();
  transactions.add(an_attempt("api.example.com:8080", 3), caller);
  transactions.add(an_attempt("api.example.com:8080", 30'000), caller);
  transactions.add(an_attempt("api.example.com:8080", 500'000, 503), caller);
  transactions.add(an_attempt("we\"ird\\host\xfe", 1), caller);
  TransactionRecord tunnel = an_attempt("tunnel.example.com", 1);
  tunnel.opaque = OpaqueReason::tls;
  transactions.add(tunnel, caller);

  const auto samples = read_page(write_metrics({"gateway-x", "1.2.3", gateway, transactions, 11}));
  CHECK(value_of(samples, "target_info", "service_version=\"1.2.3\"") == 1);
  CHECK(value_of(samples, "lunar_failsafe_state", "state=\"protecting\"") == 1);
  CHECK(value_of(samples, "lunar_failsafe_state", "state=\"bypass\"") == 0);
  CHECK(value_of(samples, "lunar_failsafe_state") == 1);
  CHECK(value_of(samples, "lunar_failsafe_transitions_total", "from=\"detached\",to=\"protecting\",reason=\"start\"") ==
        1);
  CHECK(value_of(samples, "lunar_direct_connections_total", "reason=\"no_listener\"") == 4);
  CHECK(value_of(samples, "lunar_opaque_connections_total", "reason=\"tls\"") == 5);
  CHECK(value_of(samples, "lunar_gateway_errors_total", "code=\"7\"") == 2);
  CHECK(value_of(samples, "lunar_pending_accepts") == 7);
  CHECK(value_of(samples, "lunar_remaining_connections_in_pool") == 97);
  CHECK(value_of(samples, "lunar_access_log_lost_lines_total") == 11);
  CHECK(value_of(samples, "api_call_count_total") == 4);
  CHECK(value_of(samples, "api_call_count_total", "status_code=\"503\"") == 1);
  CHECK(value_of(samples, "api_call_count_total",
                 "host=\"api.example.com\",status_code=\"200\",consumer_tag=\"shop.service\"") == 2);
  CHECK(value_of(samples, "api_call_size_bytes", "status_code=\"503\"") == 100);
}

TEST_CASE("duration histogram: buckets add up, bounds belong to their bucket") {
  TransactionMetrics transactions;
  const Caller caller = describe({});
  transactions.add(an_attempt("a", 5), caller);
  transactions.add(an_attempt("a", 6), caller);
  transactions.add(an_attempt("a", 1'000'000), caller);
  TransactionRecord refused = an_attempt("a", 2);
  refused.provider_started_ns = refused.provider_ended_ns = 0;
  transactions.add(refused, caller);
  GatewayDouble gateway;
  const auto samples = read_page(write_metrics({"gateway-x", "1", gateway, transactions, 0}));
  const std::string total = "lunar_transaction_duration_milliseconds";
  CHECK(value_of(samples, total + "_bucket", "le=\"1\"") == 0);
  CHECK(value_of(samples, total + "_bucket", "le=\"5\"") == 2);
  CHECK(value_of(samples, total + "_bucket", "le=\"10\"") == 3);
  CHECK(value_of(samples, total + "_bucket", "le=\"120000\"") == 3);
  CHECK(value_of(samples, total + "_bucket", "le=\"+Inf\"") == 4);
  CHECK(value_of(samples, total + "_count") == 4);
  CHECK(value_of(samples, total + "_sum") == doctest::Approx(1'000'013));
  CHECK(value_of(samples, "lunar_provider_transaction_duration_milliseconds_count") == 3);
}

TEST_CASE("metrics: more than the limit of series go to one that is called other") {
  TransactionMetrics transactions;
  const Caller caller = describe({});
  for (size_t i = 0; i < series_limit + 50; ++i) {
    transactions.add(an_attempt("h" + std::to_string(i), 1), caller);
  }
  GatewayDouble gateway;
  const std::string page = write_metrics({"gateway-x", "1", gateway, transactions, 0});
  size_t series = 0;
  double calls = 0;
  double other = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("api_call_count_total{")) continue;
    ++series;
    const double value = std::stod(line.substr(line.rfind(' ')));
    calls += value;
    if (line.find("host=\"other\"") != std::string::npos) other = value;
  }
  CHECK(series == series_limit + 1);
  CHECK(calls == series_limit + 50);
  CHECK(other == 50);
}
