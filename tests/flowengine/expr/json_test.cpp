#include "flowengine/expr/json.h"

#include <doctest/doctest.h>

#include <string>

#include "flowengine/expr/host_name.h"
#include "flowengine/expr/query_string.h"

using namespace lunar;

TEST_CASE("json text: strings as they are, integral numbers without a fraction, the rest compact") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {R"("a\"b")", "a\"b"},
      {"\"\"", ""},
      {"5", "5"},
      {"-5", "-5"},
      {"5.0", "5"},
      {"-0.0", "0"},
      {"5.5", "5.5"},
      {"1e3", "1000"},
      {"1e20", "100000000000000000000"},
      {"1e300", "1e+300"},
      {"18446744073709551615", "18446744073709551615"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
      {R"({ "b" : [1, "x"], "a" : null })", R"({"b":[1,"x"],"a":null})"},
      {"[ ]", "[]"},
  };
  for (const auto& [text, expected] : rows) {
    CAPTURE(text);
    CHECK(json_text(*parse_json(text)) == expected);
  }
  CHECK(json_text(Json::array({"a\xff"})) == "[\"a\xEF\xBF\xBD\"]");
  CHECK(json_text(Json("a\xff")) == "a\xff");
}

TEST_CASE("json: of members of one name the last counts, in the place of the first") {
  CHECK(parse_json(R"({"a":1,"b":2,"a":3})")->dump() == R"({"a":3,"b":2})");
  std::string many = "{\"x\":0";
  for (int i = 0; i < 40; ++i) many += ",\"k" + std::to_string(i % 20) + "\":" + std::to_string(i);
  auto value = parse_json(many + "}");
  REQUIRE(value);
  CHECK(value->size() == 21);
  CHECK((*value)["k0"] == 20);
  CHECK((*value)["k19"] == 39);
  CHECK(value->begin().key() == "x");
}

TEST_CASE("json: what is not one value is none") {
  for (std::string_view text : {"", " ", "{", "[1,]", "{\"a\":}", "{a:1}", "'a'", "1 2", "nul", "01", "1.", "[1]]",
                                "\"\xff\"", "\"a\nb\"", "NaN", "1e999", "// c\n1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_json(text));
  }
  CHECK(parse_json(" [1] \n"));
  CHECK(parse_json("\xEF\xBB\xBF{}"));
}

TEST_CASE("json: depth is limited, and deep values neither parse nor die on the stack") {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(deepest_json)));
  CHECK_FALSE(parse_json(nested(deepest_json + 1)));
  CHECK_FALSE(parse_json(std::string(5'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 500'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(parse_json(objects));
}

TEST_CASE("json: integers and numbers, also spelt as text") {
  CHECK(json_integer(5) == 5);
  CHECK(json_integer(5.0) == 5);
  CHECK(json_integer("5") == 5);
  CHECK(json_integer("-7") == -7);
  CHECK(json_integer("5.0") == 5);
  CHECK_FALSE(json_integer(5.5));
  CHECK_FALSE(json_integer("5.5"));
  CHECK_FALSE(json_integer("5 "));
  CHECK_FALSE(json_integer(""));
  CHECK_FALSE(json_integer(true));
  CHECK_FALSE(json_integer(nullptr));
  CHECK_FALSE(json_integer(UINT64_MAX));
  CHECK_FALSE(json_integer(1e19));
  CHECK_FALSE(json_integer(Json::array({1})));
  CHECK(json_number("0.5") == 0.5);
  CHECK(json_number(2) == 2.0);
  CHECK_FALSE(json_number("nan"));
  CHECK_FALSE(json_number("inf"));
  CHECK_FALSE(json_number(false));
}

TEST_CASE("utf-8: what is none becomes a replacement character") {
  CHECK(valid_utf8("a\u00e4\u20ac\U0001F600") == "a\u00e4\u20ac\U0001F600");
  CHECK(valid_utf8("a\xff"
                   "b") == "a\uFFFDb");
  CHECK(valid_utf8("\xE2\x82") == "\uFFFD\uFFFD");
  CHECK(valid_utf8("\xC0\x80") == "\uFFFD\uFFFD");
  CHECK(valid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(valid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("query: names and values are decoded, what is no escape stays") {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(parse_query_string("a=1&b=2&a=3") == Pairs{{"a", "1"}, {"b", "2"}, {"a", "3"}});
  CHECK(parse_query_string("") == Pairs{});
  CHECK(parse_query_string("&&a&=x&b=&") == Pairs{{"a", ""}, {"", "x"}, {"b", ""}});
  CHECK(parse_query_string("a%20b=c+d%2B&e=%zz%4&f=a=b") == Pairs{{"a b", "c d+"}, {"e", "%zz%4"}, {"f", "a=b"}});
  CHECK(query_value("a=1&p%61ge=2&page=3", "page") == "2");
  CHECK(query_value("a=1&a=2", "a") == "1");
  CHECK(query_value("a", "a") == "");
  CHECK_FALSE(query_value("ab=1", "a"));
}

TEST_CASE("host names: international labels in their ASCII form") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"Example", "example"},
      {"b\u00fccher", "xn--bcher-kva"},
      {"B\u00dcCHER", "xn--bcher-kva"},
      {"m\u00fcnchen", "xn--mnchen-3ya"},
      {"fa\u00df", "xn--fa-hia"},
      {"\u4f8b\u5b50", "xn--fsqu00a"},
      {"\u4f60\u597d", "xn--6qq79v"},
      {"\u03b4\u03bf\u03ba\u03b9\u03bc\u03ae", "xn--jxalpdlp"},
      {"\u0394\u039f\u039a\u0399\u039c\u0389", "xn--jxalpdlp"},
      {"\u0438\u0441\u043f\u044b\u0442\u0430\u043d\u0438\u0435", "xn--80akhbyknj4f"},
      {"\u0418\u0421\u041f\u042b\u0422\u0410\u041d\u0418\u0415", "xn--80akhbyknj4f"},
      {"\u0645\u062b\u0627\u0644", "xn--mgbh0fb"},
      {"\u30c6\u30b9\u30c8", "xn--zckzah"},
      {"\U0001F600", "xn--e28h"},
      {"xn--BCHER-kva", "xn--bcher-kva"},
  };
  for (const auto& [text, expected] : rows) {
    CAPTURE(text);
    CHECK(ascii_label(text) == expected);
  }
  for (std::string_view text : {"", "a b", "a\xff", "a/b", "a*", "\u0080"}) CHECK_FALSE(ascii_label(text));
  CHECK(ascii_label(std::string(63, 'a')));
  CHECK_FALSE(ascii_label(std::string(64, 'a')));
}
