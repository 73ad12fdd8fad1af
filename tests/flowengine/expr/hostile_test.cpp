#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "flowengine/expr/expression.h"
#include "flowengine/expr/glob.h"
#include "flowengine/expr/jsonpath.h"
#include "flowengine/expr/selector.h"
#include "tests/flowengine/expr/sample_call.h"

using namespace lunar;

namespace {

using std::chrono_literals::operator""s;

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

// The bounds are far above what a quick machine needs, and far below what unbounded work would take.
template <class Work>
void check_ends_soon(Work work) {
  auto start = std::chrono::steady_clock::now();
  work();
  CHECK(std::chrono::steady_clock::now() - start < 10s);
}

}  // namespace

TEST_CASE("hostile: deeply nested queries are refused, long ones are not") {
  CHECK_FALSE(JsonPath::parse("$[?" + repeated("(", 100'000)));
  CHECK_FALSE(JsonPath::parse("$[?" + repeated("!(", 100'000)));
  CHECK_FALSE(JsonPath::parse("$" + repeated("[?@", 100'000)));
  CHECK_FALSE(JsonPath::parse("$[?" + repeated("length(", 100'000)));
  CHECK(JsonPath::parse("$[?" + repeated("(", 60) + "@.a" + repeated(")", 60) + "]"));
  CHECK(JsonPath::parse("$" + repeated(".a", 100'000)));
  CHECK(JsonPath::parse("$[?@.a" + repeated("&&@.a", 10'000) + "]"));
  CHECK(JsonPath::parse("$." + std::string(1'000'000, 'n')));
  CHECK(JsonPath::parse("$['" + std::string(1'000'000, 'n') + "']"));
}

TEST_CASE("hostile: queries that would explode on a body of 1 MiB find nothing, soon") {
  std::string numbers = "[0" + repeated(",1", 500'000) + "]";
  std::string objects = "[{\"a\":1}" + repeated(",{\"a\":1,\"b\":\"xx\"}", 50'000) + "]";
  std::string nest = repeated("[", 500) + "1" + repeated(",1]", 500);
  for (const std::string& text : {numbers, objects, nest}) {
    auto body = parse_json(text);
    REQUIRE(body);
    for (std::string_view query :
         {"$..*", "$..*..*", "$..[*,*,*,*]", "$..[?@..a]", "$[?@.a==$[0].a]", "$[?count($..*)>1]", "$[?$==$]",
          "$[?search(@.b,@.b)]", "$[?value($..a)==1]", "$..[::1]..[::-1]..*", "$[?match(@.b,'(x*)*y')]"}) {
      CAPTURE(query);
      check_ends_soon([&] { (void)JsonPath::parse(query)->evaluate(*body); });
    }
    CHECK(JsonPath::parse("$..*..*")->evaluate(*body).empty());
  }
  CHECK(JsonPath::parse("$[*]")->evaluate(*parse_json(numbers)).empty());  // more than the limit of a list
  CHECK(JsonPath::parse("$[0:1000]")->evaluate(*parse_json(numbers)).size() == 1000);
  CHECK(JsonPath::parse("$..b")->evaluate(*parse_json(objects)).size() == 50'000);
}

TEST_CASE("hostile: an exhausted walk is no result") {
  SampleCall call;
  std::string body = "[0" + repeated(",1", 500'000) + "]";
  call.request.body = body;
  View view(call.request, nullptr);
  auto every = Expression::parse("$.request.body..*");
  CHECK_FALSE(every->holds(view));
  CHECK_FALSE(every->first_text(view));
  CHECK_FALSE(every->first_integer(view));
  CHECK(Expression::parse("$.request.body[5]")->first_text(view) == "1");
}

TEST_CASE("hostile: an object with very many members parses soon") {
  std::string text = "{\"k\":0";
  for (int i = 0; i < 100'000; ++i) text += ",\"k" + std::to_string(i) + "\":1";
  text += "}";
  check_ends_soon([&] { CHECK(parse_json(text)->size() == 100'001); });
  check_ends_soon([] { CHECK(parse_json("{\"a\":0" + repeated(",\"a\":1", 150'000) + "}")->size() == 1); });
}

TEST_CASE("hostile: patterns that are catastrophes elsewhere take linear time") {
  std::string text(100'000, 'a');
  for (std::string_view pattern : {"(a*)*b", "(a+)+$b", "(a|aa)+b", "(.*)*x", "(a|a|a|a)*b", "a*a*a*a*a*a*b"}) {
    CAPTURE(pattern);
    auto regex = Regex::compile(pattern);
    REQUIRE(regex);
    check_ends_soon([&] { CHECK_FALSE(regex->search(text)); });
  }
  CHECK_FALSE(Regex::compile("((a{100}){100}){100}"));
  CHECK_FALSE(Regex::compile("a{1001}"));
  CHECK_FALSE(Regex::compile(repeated("(", 100'000)));
  check_ends_soon([&] { CHECK_FALSE(Glob::parse("*a*a*a*a*a*a*a*b")->matches(text)); });
}

TEST_CASE("hostile: long URLs cost what they are long") {
  std::vector<UrlPattern> patterns;
  for (std::string_view pattern : {"*.example.com/*", "{a}.{b}.{c}/{d}/{e}", "a.*", "h.example.com/{a}/{b}/{c}/*"})
    patterns.push_back(*UrlPattern::parse(pattern));
  Selector all(std::move(patterns));
  std::vector<uint32_t> found;
  check_ends_soon([&] {
    all.find(repeated("a.", 50'000) + "example.com", 443, repeated("/a/..//%61", 50'000), found);
    all.find("h.example.com", 443, repeated("/..", 100'000), found);
  });
  CHECK(found.size() == 3);
}
