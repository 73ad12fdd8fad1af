#include "agent/state/access_log_line.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

using namespace lunar;
using nlohmann::json;

namespace {

constexpr uint64_t kMs = 1'000'000;

TransactionRecord an_attempt() {
  TransactionRecord record;
  record.request_number = 0x2a;
  record.started_ns = 1000 * kMs;
  record.provider_started_ns = 1001 * kMs;
  record.provider_ended_ns = 1004 * kMs + 250'000;
  record.ended_ns = 1005 * kMs;
  record.bytes_in = 12;
  record.bytes_out = 3456;
  record.status = 200;
  record.destination = Endpoint::parse("198.18.0.1:8080").value();
  record.set(TransactionText::method, "POST");
  record.set(TransactionText::host, "api.example.com:8080");
  record.set(TransactionText::path, "/v1/orders?token=secret");
  return record;
}

AccessLogContext a_context() {
  AccessLogContext context;
  context.wall_offset_ns = 1'700'000'000'000'000'000;
  context.request_id_prefix = "r1-";
  context.interceptor = "lunard-hook/0.1.0";
  return context;
}

json line_of(const TransactionRecord& record, const AccessLogContext& context) {
  std::string line;
  append_access_log_line(line, record, context);
  return json::parse(line);
}

}  // namespace

TEST_CASE("access log line: holds every key of the specification") {
  const json expected = json::parse(R"({
    "timestamp": "2023-11-14T22:13:21.000Z", "request_id": "r1-2a", "sequence_id": "r1-2a", "attempt": 0,
    "method": "POST", "url": "http://api.example.com:8080/v1/orders", "host": "api.example.com",
    "path": "/v1/orders", "status_code": 200, "x_lunar_error": null, "error_in_body": false,
    "duration": 3.25, "total_duration": 5, "internal": false, "termination_state": "ok", "mode": "transparent",
    "interceptor": "lunard-hook/0.1.0", "consumer_tag": null, "process": {}, "flows": [], "bytes_in": 12,
    "bytes_out": 3456, "lost": 0, "request_active_remedies": {}, "response_active_remedies": {}})");
  CHECK(line_of(an_attempt(), a_context()) == expected);
}

TEST_CASE("access log line: what the client named wins over the defaults") {
  TransactionRecord record;
  record.set(TransactionText::request_id, "mine");
  record.set(TransactionText::sequence_id, "call-7");
  record.set(TransactionText::consumer_tag, "batch");
  record.set(TransactionText::interceptor, "lunar-py/1.2");
  record.mode = EntryMode::header;
  AccessLogContext context = a_context();
  context.consumer_tag = "shop.service";
  context.process_json = R"({"pid":7})";
  const json line = line_of(record, context);
  CHECK(line["request_id"] == "mine");
  CHECK(line["sequence_id"] == "call-7");
  CHECK(line["consumer_tag"] == "batch");
  CHECK(line["interceptor"] == "lunar-py/1.2");
  CHECK(line["mode"] == "header");
  CHECK(line["process"]["pid"] == 7);
}

TEST_CASE("access log line: a failure tells its code, its end and its lost predecessors") {
  TransactionRecord record = an_attempt();
  record.status = 504;
  record.x_lunar_error = 3;
  record.attempt = 2;
  record.termination = Termination::timeout;
  record.provider_ended_ns = 0;
  AccessLogContext context = a_context();
  context.lost = 17;
  context.consumer_tag = "shop.service";
  const json line = line_of(record, context);
  CHECK(line["x_lunar_error"] == 3);
  CHECK(line["attempt"] == 2);
  CHECK(line["termination_state"] == "timeout");
  CHECK(line["duration"] == 0);
  CHECK(line["lost"] == 17);
  CHECK(line["consumer_tag"] == "shop.service");
}

TEST_CASE("access log line: an opaque connection is a tunnel with an authority") {
  TransactionRecord record;
  record.opaque = OpaqueReason::tls;
  record.destination = Endpoint::parse("[2001:db8::1]:443").value();
  json line = line_of(record, a_context());
  CHECK(line["method"] == "TUNNEL");
  CHECK(line["url"] == "[2001:db8::1]:443");
  CHECK(line["host"] == "2001:db8::1");
  record.set(TransactionText::host, "llm.example.com");
  line = line_of(record, a_context());
  CHECK(line["url"] == "llm.example.com:443");
  CHECK(line["host"] == "llm.example.com");
}

TEST_CASE("access log line: never holds a query string, and stays valid JSON whatever the client sent") {
  TransactionRecord record = an_attempt();
  record.text_used = 0;
  record.set(TransactionText::method, "G\"T");
  record.set(TransactionText::host, "[2001:db8::1]:80");
  record.set(TransactionText::path, "/a\\b\x01\xff\xc3\xa4\xed\xa0\x80\xe0\x80\x80?password=hunter2");
  std::string text;
  append_access_log_line(text, record, a_context());
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
  const json line = json::parse(text);
  CHECK(line["host"] == "[2001:db8::1]");
  CHECK(line["path"] == "/a\\b\x01\uFFFD\u00e4\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
}
