#include "flowengine/expr/expression.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/flowengine/expr/sample_call.h"

using namespace lunar;

namespace {

Expression expression(std::string_view text) {
  CAPTURE(text);
  auto parsed = Expression::parse(text);
  REQUIRE(parsed);
  return *std::move(parsed);
}

}  // namespace

TEST_CASE("expressions: begin with one of the two messages") {
  CHECK(expression("$.request.method").root() == Root::request);
  CHECK(expression("$.response.status").root() == Root::response);
  CHECK(expression("$.request").text() == "$.request");
  for (std::string_view text : {"$", "$.method", "$.Request.a", "$..model", "$.*", "$['request','response']", "$[0]"}) {
    CAPTURE(text);
    auto parsed = Expression::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().id == "bad-expression-root");
    CHECK(parsed.error().offset == 0);
  }
  auto nested = Expression::parse("$.request[?@.method == $.method]");
  REQUIRE_FALSE(nested);
  CHECK(nested.error().id == "bad-expression-root");
  CHECK(nested.error().offset == 23);
  for (auto [text, offset] : std::initializer_list<std::pair<std::string_view, size_t>>{{"", 0},
                                                                                        {"request.method", 0},
                                                                                        {"@.method", 0},
                                                                                        {"$.request.", 10},
                                                                                        {"$.foo[", 6},
                                                                                        {"$.request[?@.a=1]", 14}}) {
    CAPTURE(text);
    auto parsed = Expression::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().id == "bad-jsonpath");
    CHECK(parsed.error().offset == offset);
  }
}

TEST_CASE("expressions: a filter directly on a message tests the message") {
  SampleCall call;
  View view(call.request, &call.response);
  const std::pair<std::string_view, bool> rows[] = {
      {"$.request[?(@.method=='POST')]", true},
      {"$.request[?(@.method=='GET')]", false},
      {"$.response[?(@.status >= 500)]", true},
      {"$.response[?(@.status < 500)]", false},
      {"$.response[?(@.headers['x-cache'] == 'stale')]", true},
      {"$.response[?@.status == 503 && $.request.method == 'POST']", true},
      {"$.response[?@.status == 503 && $.request.method == 'PUT']", false},
      {"$.request[?match(@.path, '/v1/.*')]", true},
      {"$.request[?search(@.body, 'large')]", true},
      {"$.request[?@.body.n > 2]", true},
      {"$.request[?@.body.n > 3]", false},
      {"$.request[?@.none]", false},
      {"$.request[?!@.none]", true},
      {"$.request[?count(@.headers.*) == 2]", true},
      {"$.request[?length(@.headers_all.accept) == 2]", true},
      {"$.request[?@.method=='POST'].path", true},
      {"$.request[?@.method=='GET'].path", false},
      {"$.request.headers[?@ == 'blue']", true},
      {"$.request.body.deep.list[?@.model]", true},
      {"$.request[?$.request[?@.method=='POST']]", true},
      {"$.request['method','path']", true},
      {"$.request[0]", false},
      {"$.request[0:1]", false},
      {"$.request.*", true},
      {"$.request..model", true},
      {"$.request..[?@.model == 'inner']", true},
      {"$.request[?@.url == 'api.example.com:8443/v1//orders/17']", true},
      {"$.request[?@.url.port == 8443]", true},
      {"$.request[?@ == @]", true},
  };
  for (auto [text, expected] : rows) {
    CAPTURE(text);
    CHECK(expression(text).holds(view) == expected);
  }
  CHECK(expression("$.request[?@.method=='POST'].path").first_text(view) == "/v1//orders/17");
  CHECK(expression("$.response[?@.status > 1]").first_text(view)->starts_with(R"({"id":"r-1")"));
}

TEST_CASE("expressions: know whether they look at a body or at usage") {
  struct Row {
    std::string_view text;
    bool request_body, response_body, usage;
  };
  const Row rows[] = {
      {"$.request.method", false, false, false},
      {"$.request.headers.body", false, false, false},
      {"$.request.body", true, false, false},
      {"$.request.body.a", true, false, false},
      {"$.request['body']", true, false, false},
      {"$.request.body_map.a", true, false, false},
      {"$.request", true, false, false},
      {"$.request.*", true, false, false},
      {"$.request..a", true, false, false},
      {"$.request['path','body']", true, false, false},
      {"$.request[?(@.method=='GET')]", false, false, false},
      {"$.request[?(@.method=='GET')].body", true, false, false},
      {"$.request[?@.body.a]", true, false, false},
      {"$.request[?@..a]", true, false, false},
      {"$.request[?@.*]", true, false, false},
      {"$.request[?length(@.body) > 1]", true, false, false},
      {"$.request[?@.a || !(@.b && @.body)]", true, false, false},
      {"$.request.headers[?@.body]", false, false, false},
      {"$.request.headers[?@ == $.request.body.a]", true, false, false},
      {"$.response[?$.request.body.a == 1]", true, false, false},
      {"$.response.body.a", false, true, false},
      {"$.response.usage.total_tokens", false, false, true},
      {"$.response[?@.usage.total_tokens > 5]", false, false, true},
      {"$.response..total_tokens", false, true, true},
      {"$.response.status", false, false, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Expression parsed = expression(row.text);
    CHECK(parsed.needs_body(Root::request) == row.request_body);
    CHECK(parsed.needs_body(Root::response) == row.response_body);
    CHECK(parsed.needs_body() == (parsed.root() == Root::request ? row.request_body : row.response_body));
    CHECK(parsed.needs_usage() == row.usage);
  }
}

TEST_CASE("expressions: the first result as a number") {
  SampleCall call;
  call.request.fields.push_back({"X-Count", "12"});
  call.request.fields.push_back({"X-Half", "0.5"});
  call.request.body = R"({"i":7,"f":7.0,"h":0.5,"s":"8","t":"x","b":true,"l":[3,4]})";
  View view(call.request, &call.response);
  auto integer = [&view](std::string_view text) { return expression(text).first_integer(view); };
  auto number = [&view](std::string_view text) { return expression(text).first_number(view); };
  CHECK(integer("$.request.headers.x-count") == 12);
  CHECK_FALSE(integer("$.request.headers.x-half"));
  CHECK_FALSE(integer("$.request.headers.x-team"));
  CHECK(integer("$.request.body.i") == 7);
  CHECK(integer("$.request.body.f") == 7);
  CHECK(integer("$.request.body.s") == 8);
  CHECK(integer("$.request.body.l[*]") == 3);
  CHECK_FALSE(integer("$.request.body.h"));
  CHECK_FALSE(integer("$.request.body.t"));
  CHECK_FALSE(integer("$.request.body.b"));
  CHECK_FALSE(integer("$.request.body.l"));
  CHECK_FALSE(integer("$.request.body.none"));
  CHECK(integer("$.response.status") == 503);
  CHECK(integer("$.response.usage.total_tokens") == 15);
  CHECK(number("$.request.headers.x-half") == 0.5);
  CHECK(number("$.request.body.h") == 0.5);
  CHECK(number("$.request.body.i") == 7.0);
  CHECK_FALSE(number("$.request.body.t"));
}

TEST_CASE("expressions: name the targets of changes") {
  using Kind = Target::Kind;
  struct Row {
    std::string_view text;
    Kind kind;
    std::string_view name;
  };
  const Row rows[] = {
      {"$.request.headers.X-Team", Kind::header, "X-Team"},
      {"$.request.headers['X-Team']", Kind::header, "X-Team"},
      {"$.response.headers.a", Kind::header, "a"},
      {"$.request.body", Kind::body, ""},
      {"$.request.body.a.b", Kind::body, ""},
      {"$.request.body..a", Kind::body, ""},
      {"$.response.body[0]", Kind::body, ""},
      {"$.request.path", Kind::path, ""},
      {"$.request.query", Kind::query, ""},
      {"$.request.query_param.debug", Kind::query_param, "debug"},
      {"$.request.host", Kind::host, ""},
      {"$.response.status", Kind::status, ""},
      {"$.response.status_code", Kind::status, ""},
      {"$.request.status", Kind::none, ""},
      {"$.response.path", Kind::none, ""},
      {"$.response.query_param.a", Kind::none, ""},
      {"$.request", Kind::none, ""},
      {"$.request.headers", Kind::none, ""},
      {"$.request.headers.*", Kind::none, ""},
      {"$.request.headers.a.b", Kind::none, ""},
      {"$.request.headers_all.a", Kind::none, ""},
      {"$.request.body_map.a", Kind::none, ""},
      {"$.request.path.a", Kind::none, ""},
      {"$.request.method", Kind::none, ""},
      {"$.request.url", Kind::none, ""},
      {"$.request..body", Kind::none, ""},
      {"$.request['path','query']", Kind::none, ""},
      {"$.request[?@.body]", Kind::none, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Target target = expression(row.text).target();
    CHECK(target.kind == row.kind);
    CHECK(target.name == row.name);
  }
}

TEST_CASE("expressions: the common ones cost little") {
  SampleCall call;
  View view(call.request, &call.response);
  for (std::string_view text :
       {"$.request.headers.X-Team", "$.request.method", "$.request.query_param.page", "$.request.body.model",
        "$.response.usage.total_tokens", "$.request.process.unit", "$.request[?@.method == 'POST']"}) {
    Expression parsed = expression(text);
    constexpr int rounds = 2000;
    auto start = std::chrono::steady_clock::now();
    size_t hits = 0;
    for (int i = 0; i < rounds; ++i)
      hits += parsed.singular() ? parsed.first_text(view).has_value() : parsed.holds(view);
    auto each = (std::chrono::steady_clock::now() - start) / rounds;
    CHECK(hits == rounds);
    INFO(std::string(text), " costs ", std::chrono::nanoseconds(each).count(), " ns");
    CHECK(each < std::chrono::microseconds(100));  // generous: sanitizers and busy machines
  }
}
