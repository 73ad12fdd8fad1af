#include "flowengine/expr/view.h"

#include <doctest/doctest.h>

#include <string>

#include "flowengine/expr/expression.h"
#include "tests/flowengine/expr/sample_call.h"

using namespace lunar;

namespace {

std::string text(View& view, std::string_view expression) {
  auto parsed = Expression::parse(expression);
  REQUIRE(parsed);
  return parsed->first_text(view).value_or("(missing)");
}

struct Row {
  std::string_view expression, expected;
};

void check(const Row& row, bool with_response = true) {
  SampleCall call;
  View view(call.request, with_response ? &call.response : nullptr);
  view.set_path_params(&call.params);
  CAPTURE(row.expression);
  CHECK(text(view, row.expression) == row.expected);
  CHECK(Expression::parse(row.expression)->holds(view) == (row.expected != "(missing)"));
}

}  // namespace

TEST_CASE("document: the members of a request") {
  const Row rows[] = {
      {"$.request.id", "r-1"},
      {"$.request.sequence_id", "s-1"},
      {"$.request.method", "POST"},
      {"$.request['method']", "POST"},
      {"$['request'].method", "POST"},
      {"$.request.time", "2023-11-14T22:13:20.123Z"},
      {"$.request.url", "api.example.com:8443/v1//orders/17"},
      {"$.request.url.host", "api.example.com"},
      {"$.request.url.port", "8443"},
      {"$.request.url.path", "/v1//orders/17"},
      {"$.request.url.path_parameter.order", "17"},
      {"$.request.url.query_parameter.page", "2"},
      {"$.request.url.scheme", "(missing)"},
      {"$.request.url.*", "api.example.com"},
      {"$.request.parsed_url",
       R"({"scheme":"https","host":"api.example.com","port":8443,"path":"/v1//orders/17","raw_query":"page=2&tag=a&tag=b%20c"})"},
      {"$.request.parsed_url.HOST", "api.example.com"},
      {"$.request.parsed_url.raw_query", "page=2&tag=a&tag=b%20c"},
      {"$.request.scheme", "https"},
      {"$.request.host", "api.example.com"},
      {"$.request.path", "/v1//orders/17"},
      {"$.request.query", "page=2&tag=a&tag=b%20c"},
      {"$.request.path_segments", R"(["v1","orders","17"])"},
      {"$.request.path_segments[-1]", "17"},
      {"$.request.path_params.order", "17"},
      {"$.request.path_params", R"({"order":"17"})"},
      {"$.request.query_param.tag", "a"},
      {"$.request.query_param", R"({"page":"2","tag":"a"})"},
      {"$.request.parsed_query.tag", R"(["a","b c"])"},
      {"$.request.parsed_query.tag[1]", "b c"},
      {"$.request.headers.X-Team", "blue"},
      {"$.request.headers.x-team", "blue"},
      {"$.request.headers['ACCEPT']", "a"},
      {"$.request.headers", R"({"X-Team":"blue","Accept":"a"})"},
      {"$.request.headers_all.aCCept", R"(["a","b"])"},
      {"$.request.headers_all.accept[1]", "b"},
      {"$.request.headers.none", "(missing)"},
      {"$.request.body", R"({"model":"large-1","n":3,"price":2.0,"deep":{"list":[1,{"model":"inner"}]}})"},
      {"$.request.body.model", "large-1"},
      {"$.request.body.price", "2"},
      {"$.request.body.deep", R"({"list":[1,{"model":"inner"}]})"},
      {"$.request.body..model", "large-1"},
      {"$.request.body.deep..model", "inner"},
      {"$.request.body_map.n", "3"},
      {"$.request.size", "77"},
      {"$.request.consumer_tag", "nightly-report.service"},
      {"$.request.process.pid", "42"},
      {"$.request.process.unit", "nightly-report.service"},
      {"$.request.process.container", "(missing)"},
      {"$.request.process",
       R"({"pid":42,"comm":"curl","exe":"/usr/bin/curl","uid":1000,"unit":"nightly-report.service"})"},
      {"$.request.status", "(missing)"},
      {"$.request.usage", "(missing)"},
      {"$.request.unknown", "(missing)"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("document: the members of a response, some of which repeat the request's") {
  const Row rows[] = {
      {"$.response.id", "r-1"},
      {"$.response.method", "POST"},
      {"$.response.time", "2023-11-14T22:13:21.000Z"},
      {"$.response.url", "api.example.com:8443/v1//orders/17"},
      {"$.response.url.query_parameter.page", "2"},
      {"$.response.path", "/v1//orders/17"},
      {"$.response.path_segments[0]", "v1"},
      {"$.response.query_param.page", "2"},
      {"$.response.headers.x-cache", "stale"},
      {"$.response.headers_all.X-CACHE[1]", "other"},
      {"$.response.body", R"({"error":{"code":"busy"}})"},
      {"$.response.body.error.code", "busy"},
      {"$.response.body_map.error", R"({"code":"busy"})"},
      {"$.response.status", "503"},
      {"$.response.status_code", "503"},
      {"$.response.size", "(missing)"},
      {"$.response.usage.input_tokens", "10"},
      {"$.response.usage.prompt_tokens", "10"},
      {"$.response.usage.completion_tokens", "5"},
      {"$.response.usage.output_tokens", "5"},
      {"$.response.usage.total_tokens", "15"},
      {"$.response.usage",
       R"({"prompt_tokens":10,"completion_tokens":5,"input_tokens":10,"output_tokens":5,"total_tokens":15})"},
      {"$.response.host", "(missing)"},
      {"$.response.process", "(missing)"},
      {"$.response.parsed_url", "(missing)"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("document: without a response nothing of it is there") {
  for (std::string_view expression :
       {"$.response", "$.response.status", "$.response.headers.a", "$.response.usage.total_tokens", "$.response.body.a",
        "$.response.path", "$.response[?@.status]", "$.response..*", "$.response.query_param.page"})
    check({expression, "(missing)"}, false);
}

TEST_CASE("document: a body that is missing, no JSON or no UTF-8") {
  SampleCall call;
  call.request.body = "plain \xff text";
  call.response.body.reset();
  View view(call.request, &call.response);
  CHECK(text(view, "$.request.body") == "plain \uFFFD text");
  CHECK(text(view, "$.request.body.a") == "(missing)");
  CHECK(text(view, "$.request.body_map") == "(missing)");
  CHECK(text(view, "$.request..a") == "(missing)");
  CHECK(view.request_json() == nullptr);
  CHECK(text(view, "$.response.body") == "(missing)");
  CHECK(view.response_json() == nullptr);
  call.request.body = "[1,2]";
  view.request_changed();
  CHECK(text(view, "$.request.body[1]") == "2");
}

TEST_CASE("document: what changes is read anew") {
  SampleCall call;
  View view(call.request, nullptr);
  CHECK(text(view, "$.request.headers_all.x-team") == R"(["blue"])");
  CHECK(text(view, "$.request.path_params.order") == "(missing)");
  call.request.set_field("X-Team", "red");
  view.request_changed();
  CHECK(text(view, "$.request.headers_all.x-team") == R"(["red"])");
  view.set_path_params(&call.params);
  CHECK(text(view, "$.request.path_params.order") == "17");
  CHECK(text(view, "$.request.url.path_parameter.order") == "17");
  PathParams other{{"order", "18"}};
  view.set_path_params(&other);
  CHECK(text(view, "$.request.path_params.order") == "18");
  CHECK(text(view, "$.request.url.path_parameter.order") == "18");
  CHECK(text(view, "$.response.headers.x-cache") == "(missing)");
  view.set_response(&call.response);
  CHECK(text(view, "$.response.headers.x-cache") == "stale");
  CHECK(text(view, "$.response.body.error.code") == "busy");
  call.response.set_body(R"({"error":{"code":"fine"}})");
  view.response_changed();
  CHECK(text(view, "$.response.body.error.code") == "fine");
}

TEST_CASE("document: the consumer tag is the message's, the header's, or who made the call") {
  SampleCall call;
  auto tag = [&call] {
    View view(call.request, nullptr);
    return text(view, "$.request.consumer_tag");
  };
  call.caller.unit.clear();
  call.caller.container = "box";
  CHECK(tag() == "box");
  call.request.fields.push_back({"X-Lunar-Consumer-Tag", "header"});
  CHECK(tag() == "header");
  call.request.consumer_tag = "given";
  CHECK(tag() == "given");
  call.request.consumer_tag = {};
  call.request.fields.clear();
  call.request.caller = nullptr;
  CHECK(tag() == "(missing)");
  View view(call.request, nullptr);
  CHECK(text(view, "$.request.process.pid") == "(missing)");
  CHECK(text(view, "$.request.process") == "(missing)");
}

TEST_CASE("document: unknown counts of tokens are missing, and the total is the sum of the known ones") {
  SampleCall call;
  View view(call.request, &call.response);
  call.response.usage = TokenUsage{std::nullopt, 5, std::nullopt};
  CHECK(text(view, "$.response.usage.input_tokens") == "(missing)");
  CHECK(text(view, "$.response.usage.total_tokens") == "5");
  call.response.usage = TokenUsage{1, 2, 7};
  CHECK(text(view, "$.response.usage.total_tokens") == "7");
  call.response.usage.reset();
  CHECK(text(view, "$.response.usage.total_tokens") == "(missing)");
}
