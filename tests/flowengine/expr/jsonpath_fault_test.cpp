#include <doctest/doctest.h>

#include <string>

#include "flowengine/expr/jsonpath.h"

using namespace lunar;

TEST_CASE("jsonpath: invalid texts are refused at the byte where they go wrong") {
  const std::pair<std::string_view, size_t> rows[] = {
      {"", 0},
      {"a", 0},
      {" $", 0},
      {"$ ", 1},
      {"$a", 1},
      {"@.a", 0},
      {"$.", 2},
      {"$.a.", 4},
      {"$. a", 2},
      {"$..", 3},
      {"$.. a", 3},
      {"$...a", 3},
      {"$.1a", 2},
      {"$.-a", 2},
      {"$.a b", 3},
      {"$.'a'", 2},
      {"$.[0]", 2},
      {"$.&", 2},
      {"$[", 2},
      {"$[]", 2},
      {"$[0", 3},
      {"$[0,]", 4},
      {"$[,0]", 2},
      {"$[a]", 2},
      {"$['a'", 5},
      {"$['a]", 2},
      {"$['a\"]", 2},
      {"$[\"a\nb\"]", 4},
      {R"($["\a"])", 3},
      {R"($["\'"])", 3},
      {R"($['\"'])", 3},
      {R"($["\u12"])", 5},
      {R"($["\u12g4"])", 5},
      {R"($["\uD800"])", 3},
      {R"($["\uDC00"])", 3},
      {R"($["\uD800\u0041"])", 3},
      {R"($["\uD800\n"])", 3},
      {"$[01]", 2},
      {"$[-0]", 2},
      {"$[-01]", 2},
      {"$[-]", 3},
      {"$[+1]", 2},
      {"$[1.0]", 3},
      {"$[1e0]", 3},
      {"$[9007199254740992]", 2},
      {"$[-9007199254740992]", 2},
      {"$[99999999999999999999]", 2},
      {"$[1:2:3:4]", 7},
      {"$[1:01]", 4},
      {"$[:-0]", 3},
      {"$[1:2:99999999999999999]", 6},
      {"$[:::]", 4},
      {"$[0 1]", 4},
      {"$[?]", 3},
      {"$[?@", 4},
      {"$[?@.a", 6},
      {"$[?()]", 4},
      {"$[?(@.a]", 7},
      {"$[?@.a)]", 6},
      {"$[?@.a==]", 8},
      {"$[?@.a=1]", 6},
      {"$[?@.a===1]", 8},
      {"$[?@.a<>1]", 7},
      {"$[?@.a==1==1]", 9},
      {"$[?(@.a)==1]", 8},
      {"$[?!@.a==1]", 7},
      {"$[?!!@.a]", 4},
      {"$[?@.a&@.b]", 6},
      {"$[?@.a&&]", 8},
      {"$[?||@.a]", 3},
      {"$[?1]", 3},
      {"$[?'a']", 3},
      {"$[?true]", 3},
      {"$[?null&&@.a]", 3},
      {"$[?@.a==x]", 8},
      {"$[?@.a==True]", 8},
      {"$[?@.a==01]", 8},
      {"$[?@.a==.5]", 8},
      {"$[?@.a==1.]", 10},
      {"$[?@.a==1e]", 10},
      {"$[?@.a==+1]", 8},
      {"$[?@.a==-]", 9},
      {"$[?@.a==1e999]", 8},
      {"$[?@.*==1]", 3},
      {"$[?1==@..a]", 6},
      {"$[?@['a','b']==1]", 3},
      {"$[?@[0:1]==1]", 3},
      {"$[?@==$.*]", 6},
      {"$[?length(@)]", 3},
      {"$[?count(@.*)]", 3},
      {"$[?value(@.a)]", 3},
      {"$[?length(@.*)==1]", 10},
      {"$[?length()==1]", 3},
      {"$[?length(@,@)==1]", 12},
      {"$[?length(@==1)==1]", 11},
      {"$[?count(1)==1]", 9},
      {"$[?count('a')==1]", 9},
      {"$[?count(length(@))==1]", 9},
      {"$[?match(@,'a')==true]", 3},
      {"$[?true==search(@,'a')]", 9},
      {"$[?match(@)]", 3},
      {"$[?match(@,'a','b')]", 15},
      {"$[?match(@.*,'a')]", 9},
      {"$[?match(match(@,'a'),'a')]", 9},
      {"$[?length(match(@,'a'))==1]", 10},
      {"$[?foo(@)]", 3},
      {"$[?length (@)==1]", 3},
      {"$[?length(@==1]", 11},
      {"$[?Length(@)==1]", 3},
      {"$[?@.a==[1]]", 8},
      {"$[?@.a=={}]", 8},
      {"$[?@.a in 1]", 7},
      {"$.a[?@.b].", 10},
      {"$.a()", 3},
      {"$;", 1},
  };
  for (const auto& [text, offset] : rows) {
    CAPTURE(text);
    auto path = JsonPath::parse(text);
    REQUIRE_FALSE(path);
    CHECK(path.error().offset == offset);
    CHECK_FALSE(path.error().text.empty());
    CHECK(path.error().text.find('\n') == std::string::npos);
  }
}

TEST_CASE("jsonpath: the fault says what was expected") {
  auto fault = [](std::string_view text) { return JsonPath::parse(text).error().text; };
  CHECK(fault("$.a[") == "expected a selector, the text ends");
  CHECK(fault("$.a[0;") == "expected `,` or `]`, found `;`");
  CHECK(fault("$[?length(@)]") == "the result of length() has to be compared");
  CHECK(fault("$[?foo(@)]") == "there is no function foo()");
  CHECK(fault("$[?@.a==yes]") == "`yes` is neither a literal nor a call; texts stand in quotes");
}
