#include "flowengine/expr/transform_body.h"

#include <doctest/doctest.h>

#include "tests/flowengine/expr/sample_call.h"

using namespace lunar;

namespace {

struct Change {
  SampleCall call;
  View view{call.request, &call.response};
  Json body;

  explicit Change(std::string_view text) : body(*parse_json(text)) {}
  size_t remove(std::string_view path) { return remove_matches(body, *Expression::parse(path), view); }
  bool set(std::string_view path, Json value) { return set_value(body, *Expression::parse(path), std::move(value)); }
  size_t replace(std::string_view path) {
    return replace_scalars(body, *Expression::parse(path), view,
                           [](const std::string& text) { return "<" + text + ">"; });
  }
};

}  // namespace

TEST_CASE("body: every match is removed, also where matches stand in each other") {
  struct Row {
    std::string_view path, before, after;
    size_t count;
  };
  const Row rows[] = {
      {"$.request.body.a", R"({"a":1,"b":2})", R"({"b":2})", 1},
      {"$.request.body.x", R"({"a":1})", R"({"a":1})", 0},
      {"$.request.body[0]", "[1,2,3]", "[2,3]", 1},
      {"$.request.body[0,2]", "[1,2,3]", "[2]", 2},
      {"$.request.body[0,0]", "[1,2,3]", "[2,3]", 1},
      {"$.request.body[*]", "[1,2,3]", "[]", 3},
      {"$.request.body.*", R"({"a":1,"b":2})", "{}", 2},
      {"$.request.body..a", R"({"a":{"a":1},"b":[{"a":2,"c":3}]})", R"({"b":[{"c":3}]})", 2},
      {"$.request.body[?@ > 1]", "[1,2,3]", "[1]", 2},
      {"$.request.body[?@ == $.request.method]", R"({"x":"POST","y":"GET"})", R"({"y":"GET"})", 1},
      {"$.request.body", "[1]", "null", 1},
      {"$.request.body[::-1]", "[1,2]", "[]", 2},
      {"$.response.body.a.b", R"({"a":{"b":1,"c":2}})", R"({"a":{"c":2}})", 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    Change change(row.before);
    CHECK(change.remove(row.path) == row.count);
    CHECK(change.body.dump() == row.after);
  }
}

TEST_CASE("body: a value is set, with the objects above it") {
  struct Row {
    std::string_view path, before, after;
  };
  const Row rows[] = {
      {"$.request.body.a", "{}", R"({"a":7})"},
      {"$.request.body.a", R"({"a":1,"b":2})", R"({"a":7,"b":2})"},
      {"$.request.body.a.b['c']", R"({"x":1})", R"({"x":1,"a":{"b":{"c":7}}})"},
      {"$.request.body.a.b", R"({"a":null})", R"({"a":{"b":7}})"},
      {"$.request.body.a[0]", R"({"a":[1]})", R"({"a":[7]})"},
      {"$.request.body.a[-1]", R"({"a":[1,2]})", R"({"a":[1,7]})"},
      {"$.request.body.a[1].b", R"({"a":[1]})", R"({"a":[1,{"b":7}]})"},
      {"$.request.body", "[1]", "7"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    Change change(row.before);
    CHECK(change.set(row.path, 7));
    CHECK(change.body.dump() == row.after);
  }
}

TEST_CASE("body: what stands in the way of a set value stays, and so does everything else") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"$.request.body.a.b", R"({"a":1})"},    {"$.request.body.a", "[1]"},
      {"$.request.body[0]", R"({"a":1})"},     {"$.request.body.n.a[5]", R"({"x":[1]})"},
      {"$.request.body.x[2]", R"({"x":[1]})"}, {"$.request.body.x[-2]", R"({"x":[1]})"},
  };
  for (auto [path, before] : rows) {
    CAPTURE(path);
    Change change(before);
    CHECK_FALSE(change.set(path, 7));
    CHECK(change.body.dump() == before);
  }
}

TEST_CASE("body: every matching scalar is replaced, arrays and objects are not") {
  Change change(R"({"a":"x","b":{"a":5,"c":[true,null,2.0]},"d":{"a":{}}})");
  CHECK(change.replace("$.request.body..a") == 2);
  CHECK(change.replace("$.request.body.b.c[*]") == 3);
  CHECK(change.replace("$.request.body.none") == 0);
  CHECK(change.body.dump() == R"({"a":"<x>","b":{"a":"<5>","c":["<true>","<null>","<2>"]},"d":{"a":{}}})");
}
