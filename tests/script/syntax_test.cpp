#include "flowengine/script/syntax.h"

#include <doctest/doctest.h>

using namespace lunar;

TEST_CASE("script syntax: what compiles has no fault, and none of it is executed") {
  CHECK_FALSE(check_syntax(""));
  CHECK_FALSE(
      check_syntax("if (!request.body.user) throw 'no user'; request.headers['x-kind'] = request.body.user.kind;"));
  CHECK_FALSE(check_syntax("return; // a comment at the end"));
  CHECK_FALSE(check_syntax("while (true) {}"));
  CHECK_FALSE(check_syntax("throw new Error('not now')"));
  CHECK_FALSE(check_syntax("var s = '\U0001F600';"));
}

TEST_CASE("script syntax: a fault names its line and says it in one") {
  const auto fault = check_syntax("var a = 1;\n  var = 2;\nvar b;");
  REQUIRE(fault);
  CHECK(fault->at == Position{.line = 2, .column = 3});
  CHECK_FALSE(fault->text.contains('\n'));
  CHECK_FALSE(fault->text.contains("(line"));
  CHECK(fault->text.contains("SyntaxError"));
}

TEST_CASE("script syntax: what is no JavaScript of Duktape is refused with the reason") {
  for (const std::string_view script : {"let a = 1;", "var f = () => 1;", "var s = `a`;", "class A {}", "var", "(",
                                        "'open", "/[/", "if (", "\xff\xfe"}) {
    CAPTURE(script);
    const auto fault = check_syntax(script);
    REQUIRE(fault);
    CHECK(fault->at.line == 1);
    CHECK(fault->text.contains("ECMAScript 5.1"));
  }
}

TEST_CASE("script syntax: a script cannot close the function that it is the body of") {
  for (const std::string_view script :
       {"}", "} function () {", "}); (function () {", "}, function () {", "} // {", "}\n}"}) {
    CAPTURE(script);
    const auto fault = check_syntax(script);
    REQUIRE(fault);
    CHECK(fault->at == Position{.line = 1, .column = 1});
  }
  CHECK(check_syntax("a();\n{ }\n  }\nb(); {")->at == Position{.line = 3, .column = 3});
  CHECK_FALSE(check_syntax("var a = '}'; // }"));
}

TEST_CASE("script syntax: an open brace is a fault of the last line") {
  const auto fault = check_syntax("if (a) {\n  b();\n");
  REQUIRE(fault);
  CHECK(fault->at.line == 3);
}

TEST_CASE("script syntax: deep nesting and huge repetitions are refused and not followed") {
  CHECK(check_syntax(std::string(100'000, '(')));
  CHECK(check_syntax(std::string(100'000, '[')));
  CHECK(check_syntax("var r = /((((a{1000}){1000}){1000}){1000})/;"));
}
