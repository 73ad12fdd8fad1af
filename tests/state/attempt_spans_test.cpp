#include "agent/state/attempt_spans.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

CallView a_call() {
  return {.method = "POST",
          .url = {},
          .host = "api.example.com",
          .path = "/v1",
          .consumer_tag = "shop",
          .comm = {},
          .unit = "shop.service",
          .container = {},
          .interceptor = {},
          .port = 8443,
          .status = 503,
          .total_ms = 12.5,
          .provider_ms = 11.25,
          .started = WallTime(1'749'556'800'123ms),
          .request_id = "r1",
          .flows = "First\nSecond\n",
          .attempt = 2,
          .tls = true};
}

std::string attribute(const emission::Span& span, std::string_view name) {
  const auto found = std::ranges::find(span.attributes, name, [](const auto& one) { return one.first; });
  return found == span.attributes.end() ? "(none)" : found->second;
}

bool is_id(const std::string& text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos &&
         text.find_first_not_of('0') != std::string::npos;
}

}  // namespace

TEST_CASE("attempt spans: a span says what was called, when, how it ended, and which flows it went through") {
  const emission::Span span = AttemptSpans(1).of(a_call());
  CHECK(span.name == "POST api.example.com:8443/v1");
  CHECK(span.method == "POST");
  CHECK(span.url == "https://api.example.com:8443/v1");
  CHECK(span.status == 503);
  CHECK(span.begin == WallTime(1'749'556'800'123ms));
  CHECK(span.end == WallTime(1'749'556'800'135ms));
  CHECK(span.latency == 12'500us);
  CHECK(span.parent_id.empty());
  CHECK(attribute(span, "lunar.flows") == "First, Second");
  CHECK(attribute(span, "lunar.request_id") == "r1");
  CHECK(attribute(span, "lunar.attempt") == "2");
  CHECK(attribute(span, "lunar.consumer_tag") == "shop");
  CHECK(attribute(span, "lunar.unit") == "shop.service");
  CHECK(attribute(span, "lunar.container") == "(none)");
  CHECK(attribute(span, "lunar.provider_latency") == "11.25");
}

TEST_CASE("attempt spans: what is not known is not said") {
  CallView call = a_call();
  call.method = call.flows = call.request_id = call.consumer_tag = call.unit = {};
  call.provider_ms.reset();
  call.tls = false;
  const emission::Span span = AttemptSpans(1).of(call);
  CHECK(span.name == "HTTP api.example.com:8443/v1");
  CHECK(span.url == "http://api.example.com:8443/v1");
  REQUIRE(span.attributes.size() == 1);
  CHECK(attribute(span, "lunar.attempt") == "2");
}

TEST_CASE("attempt spans: each is a trace of its own, and another seed makes others") {
  AttemptSpans spans(7);
  const emission::Span first = spans.of(a_call());
  const emission::Span second = spans.of(a_call());
  for (const emission::Span& one : {first, second}) {
    CHECK(is_id(one.trace_id, 32));
    CHECK(is_id(one.span_id, 16));
  }
  CHECK(first.trace_id != second.trace_id);
  CHECK(first.span_id != second.span_id);
  CHECK(AttemptSpans(8).of(a_call()).trace_id != first.trace_id);
}

TEST_CASE("attempt spans: a record of a worker has all of it, but nothing of its query") {
  TransactionRecord record;
  record.started_ns = 1'000'000;
  record.ended_ns = 4'500'000;
  record.destination = *Endpoint::parse("198.18.0.1:443");
  record.status = 200;
  record.attempt = 1;
  record.tls = true;
  record.set(TransactionText::method, "GET");
  record.set(TransactionText::host, "api.example.com");
  record.set(TransactionText::request_id, "r2");
  record.set(TransactionText::flows, "Only\n");
  record.set(TransactionText::path, "/a?token=secret");
  const RecordFacts facts(record, {.consumer_tag = "shop", .comm = {}, .unit = {}, .container = {}, .interceptor = {}});
  const emission::Span span = AttemptSpans(1).of(facts.view());
  CHECK(span.url == "https://api.example.com/a");
  CHECK(span.name == "GET api.example.com/a");
  CHECK(attribute(span, "lunar.flows") == "Only");
  CHECK(attribute(span, "lunar.request_id") == "r2");
  CHECK(attribute(span, "lunar.attempt") == "1");
  CHECK(attribute(span, "lunar.consumer_tag") == "shop");
}
