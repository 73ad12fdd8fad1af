#include "agent/admin/top.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar;
using namespace lunar::admin;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const MonotonicTime kStart{1000s};

TransactionRecord an_attempt(std::string_view host, uint64_t milliseconds) {
  TransactionRecord record;
  record.started_ns = 1;
  record.ended_ns = 1 + milliseconds * 1'000'000;
  record.status = 200;
  record.bytes_in = 1;
  record.bytes_out = 2;
  record.set(TransactionText::host, host);
  return record;
}

Caller a_caller(uint32_t pid, const char* unit) {
  Process process;
  process.pid = pid;
  process.comm = "worker";
  process.unit = unit;
  return describe(process);
}

json row(const json& document, const std::string& name) {
  for (const json& one : document["rows"]) {
    if (one["name"] == name) return one;
  }
  return json();
}

}  // namespace

TEST_CASE("top: groups by process, unit and host, the busiest first") {
  Top top(kStart);
  for (int i = 0; i < 10; ++i) top.add(an_attempt("a.example.com:80", 10), a_caller(1, "shop.service"), kStart);
  for (int i = 0; i < 5; ++i) top.add(an_attempt("b.example.com", 100), a_caller(2, "shop.service"), kStart);
  top.add(an_attempt("b.example.com", 100), a_caller(0, ""), kStart);
  const MonotonicTime later = kStart + 5s;
  const json hosts = top.rows(TopGroup::host, later);
  CHECK(hosts["window_s"] == 5.0);
  CHECK(hosts["rows"][0]["name"] == "a.example.com");
  CHECK(hosts["rows"][0]["requests"] == 10);
  CHECK(hosts["rows"][0]["requests_per_second"] == 2.0);
  CHECK(hosts["rows"][0]["p50_ms"].get<double>() == doctest::Approx(10).epsilon(0.125));
  CHECK(hosts["rows"][1]["requests"] == 6);
  CHECK(row(top.rows(TopGroup::unit, later), "shop.service")["requests"] == 15);
  CHECK(row(top.rows(TopGroup::unit, later), "-")["requests"] == 1);
  CHECK(row(top.rows(TopGroup::process, later), "worker[2]")["bytes_out"] == 10);
  CHECK(row(top.rows(TopGroup::process, later), "-")["requests"] == 1);
}

TEST_CASE("top: counts errors, and tunnels apart from requests") {
  Top top(kStart);
  const Caller caller = a_caller(1, "u");
  TransactionRecord record = an_attempt("h", 1);
  record.status = 404;
  top.add(record, caller, kStart);
  record.status = 500;
  top.add(record, caller, kStart);
  record.status = 0;
  record.termination = Termination::provider_abort;
  top.add(record, caller, kStart);
  record.termination = Termination::client_abort;
  top.add(record, caller, kStart);
  TransactionRecord tunnel = an_attempt("h", 60'000);
  tunnel.opaque = OpaqueReason::tls;
  top.add(tunnel, caller, kStart);
  const json one = row(top.rows(TopGroup::host, kStart), "h");
  CHECK(one["errors"] == 2);
  CHECK(one["requests"] == 4);
  CHECK(one["connections"] == 1);
  CHECK(one["p99_ms"].get<double>() < 2);
}

TEST_CASE("top: forgets after two slots what is no longer active, not earlier") {
  Top top(kStart);
  top.add(an_attempt("old", 1), a_caller(1, "u"), kStart);
  CHECK(row(top.rows(TopGroup::host, kStart + 19s), "old")["requests"] == 1);
  CHECK(top.rows(TopGroup::host, kStart + 19s)["window_s"] == 19.0);
  CHECK(row(top.rows(TopGroup::host, kStart + 20s), "old").is_null());
  top.add(an_attempt("gap", 1), a_caller(1, "u"), kStart + 21s);
  CHECK(row(top.rows(TopGroup::host, kStart + 50s), "gap").is_null());
  CHECK(top.rows(TopGroup::host, kStart + 50s)["rows"].empty());
}

TEST_CASE("top: keeps a bounded number of names") {
  Top top(kStart);
  for (size_t i = 0; i < Top::kNamesLimit + 10; ++i) {
    top.add(an_attempt("h" + std::to_string(i), 1), a_caller(1, "u"), kStart);
  }
  const json hosts = top.rows(TopGroup::host, kStart);
  CHECK(hosts["rows"].size() == Top::kNamesLimit + 1);
  CHECK(row(hosts, "other")["requests"] == 10);
}
