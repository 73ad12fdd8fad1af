#include "flowengine/spec/document.h"

#include <doctest/doctest.h>

#include <string>

using namespace lunar;

namespace {

Value good(std::string_view text) {
  Diagnostics findings;
  auto document = read_document("f.yaml", text, findings);
  if (!findings.list().empty()) MESSAGE(findings.list().front().print());
  REQUIRE(document);
  REQUIRE(findings.list().empty());
  return *std::move(document);
}

std::string first_finding(std::string_view text) {
  Diagnostics findings;
  CHECK_FALSE(read_document("f.yaml", text, findings));
  REQUIRE(findings.list().size() == 1);
  CHECK(findings.list().front().severity == Severity::error);
  return findings.list().front().print();
}

}  // namespace

TEST_CASE("document: knows where every key and value stands") {
  Value root = good("a: 1\nbee:\n  - x\n  - {c: \"d\", e: }\n# comment\nf: |\n  text\n  more\n");
  CHECK(root.kind == Value::Kind::map);
  CHECK(root.at == Position{1, 1});
  REQUIRE(root.entries.size() == 3);
  CHECK(root.entries[0].key_at == Position{1, 1});
  CHECK(root.get("a")->at == Position{1, 4});
  CHECK(root.find("bee")->key_at == Position{2, 1});
  const Value& list = *root.get("bee");
  REQUIRE(list.kind == Value::Kind::list);
  CHECK(list.items[0].at == Position{3, 5});
  CHECK(list.items[1].at == Position{4, 5});
  CHECK(list.items[1].get("c")->at == Position{4, 9});
  CHECK(list.items[1].find("e")->value.kind == Value::Kind::null);
  CHECK(list.items[1].get("e") == nullptr);
  CHECK(root.get("f")->text == "text\nmore\n");
  CHECK(root.get("missing") == nullptr);
}

TEST_CASE("document: columns count code points, with and without a byte order mark") {
  CHECK(good("\xc3\xa4\xe2\x82\xac: x\n").find("\xc3\xa4\xe2\x82\xac")->value.at == Position{1, 5});
  CHECK(good("k\xf0\x9f\x98\x80: [a, b]").entries[0].value.items[1].at == Position{1, 9});
  CHECK(good("\xef\xbb\xbf"
             "a: b\n")
            .get("a")
            ->at == Position{1, 4});
  CHECK(good("a: 1\r\nb: 2\r\n").get("b")->at == Position{2, 4});
}

TEST_CASE("document: a value that is left out stands at its key") {
  Value root = good("a:\nb: 1\n");
  CHECK(root.find("a")->value.kind == Value::Kind::null);
  CHECK(root.find("a")->value.at == Position{1, 1});
}

TEST_CASE("document: plain scalars have the types of the core schema, quoted ones are texts") {
  using Type = Value::ScalarType;
  const std::pair<std::string_view, Type> cases[] = {
      {"text", Type::string},   {"true", Type::boolean},   {"False", Type::boolean},       {"yes", Type::string},
      {"on", Type::string},     {"1", Type::integer},      {"-12", Type::integer},         {"+3", Type::integer},
      {"0x1F", Type::integer},  {"0o17", Type::integer},   {"007", Type::integer},         {"1.5", Type::number},
      {".5", Type::number},     {"-1e3", Type::number},    {"1.", Type::number},           {".inf", Type::number},
      {".nan", Type::number},   {"1e", Type::string},      {"1.2.3", Type::string},        {"10s", Type::string},
      {"0x", Type::string},     {"-", Type::string},       {"1_000", Type::string},        {"\"1\"", Type::string},
      {"'true'", Type::string}, {"!!str 1", Type::string}, {"127.0.0.1:80", Type::string},
  };
  for (auto [text, type] : cases) {
    if (text == "-") continue;
    CAPTURE(text);
    Value value = good("k: " + std::string(text)).entries[0].value;
    CHECK(value.kind == Value::Kind::scalar);
    CHECK(value.type == type);
  }
  CHECK(plain_scalar_type("-") == Type::string);
  for (std::string_view text : {"null", "Null", "NULL", "~", ""})
    CHECK(good("k: " + std::string(text)).entries[0].value.kind == Value::Kind::null);
  CHECK(good("k: 'null'").get("k")->text == "null");
}

TEST_CASE("document: an empty file is null") {
  for (std::string_view text : {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "null\n"})
    CHECK(good(text).kind == Value::Kind::null);
}

TEST_CASE("document: aliases and merge keys are expanded") {
  Value root = good(
      "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\n"
      "one: {<<: *base, b: 9}\ntwo: {<<: [*base, *more]}\nthree: *base\n'<<': text\n");
  CHECK(root.get("one")->get("a")->text == "1");
  CHECK(root.get("one")->get("b")->text == "9");
  CHECK(root.get("two")->get("b")->text == "2");
  CHECK(root.get("two")->get("c")->text == "4");
  CHECK(root.get("three")->get("b")->text == "2");
  CHECK(root.get("three")->at == Position{5, 8});
  CHECK(root.get("three")->get("b")->at == Position{1, 23});
  CHECK(root.get("<<")->text == "text");
  CHECK(root.get("one")->entries.size() == 2);
}

TEST_CASE("document: a key that is there twice is refused, and the first is named") {
  CHECK(first_finding("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") ==
        "f.yaml:5:3: error: `c` is here twice, first in line 3, column 3 [duplicate-key]");
  CHECK(first_finding("{a: 1, \"a\": 2}") ==
        "f.yaml:1:8: error: `a` is here twice, first in line 1, column 2 [duplicate-key]");
}

TEST_CASE("document: a tab in the indentation is refused, elsewhere it is not") {
  for (std::string_view text : {"a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\n", "\ta: 1\n", "a:\n \t- x\n", "a:\n  \tb: 1\n"}) {
    CAPTURE(text);
    std::string finding = first_finding(text);
    CHECK(finding.ends_with("a tab in the indentation; write spaces [bad-yaml]"));
  }
  CHECK(good("a:\t1\n").get("a")->text == "1");
  CHECK(good("a: |\n  x\n  \ty\n").get("a")->text == "x\n\ty\n");
  CHECK(good("a: [1,\n\t2]\n").get("a")->items.size() == 2);
  CHECK(good("a: \"x\n\t y\"\n").get("a")->text == "x y");
}

TEST_CASE("document: a second document is refused") {
  CHECK(first_finding("a: 1\n---\nb: 2\n") ==
        "f.yaml:2:1: error: a second document begins here; one file holds one document [second-document]");
  CHECK(first_finding("a: 1\n...\n---\n").ends_with("[second-document]"));
}

TEST_CASE("document: an undefined alias says how a text with an asterisk is written") {
  std::string_view hint = "; a text that begins with * is written in quotes: \"*\" [bad-yaml]";
  for (std::string_view text : {"a: *\n", "a: *x\n", "a: [*]\n", "url: *.example.com\n", "- */x\n"}) {
    CAPTURE(text);
    std::string finding = first_finding(text);
    CHECK(finding.ends_with(hint));
    CHECK(finding.starts_with("f.yaml:1:"));
  }
  CHECK(first_finding("a: &x [*x]\n") == "f.yaml:1:8: error: an alias stands inside of what it refers to [bad-yaml]");
}

TEST_CASE("document: malformed text is a finding with the parser's words") {
  for (std::string_view text : {"a: [1, 2\n", "a: b: c\n", "{a: 1}}\n", "%YAML\n", "a: @x\n"}) {
    CAPTURE(text);
    CHECK(first_finding(text).ends_with("[bad-yaml]"));
  }
  CHECK(first_finding("[a]: 1\n") == "f.yaml:1:1: error: a mapping key must be a text [bad-yaml]");
  CHECK(first_finding("a: {<<: 1}\n").starts_with("f.yaml:1:9: error: `<<` merges"));
  CHECK(first_finding("a: {<<: [1]}\n").starts_with("f.yaml:1:10: error: `<<` merges"));
}

TEST_CASE("document: a quote that is never closed is refused where it begins") {
  for (std::string_view text :
       {"a: 'open\n", "a: \"open\n", "a: 'it''s\n", "a: \"x\\\"\n", "a: '", "b: 1\na: 'x\ny: z\n"}) {
    CAPTURE(text);
    CHECK(first_finding(text).ends_with("error: this quote is never closed [bad-yaml]"));
  }
  for (std::string_view text :
       {"a: 'it''s'\n", "a: \"x\\\"\"", "a: ''", "a: \"\\\\\"", "a: it's", "- 'x'\n- don't\n"}) {
    CAPTURE(text);
    CHECK(good(text).kind != Value::Kind::null);
  }
}

TEST_CASE("document: only UTF-8 without control characters") {
  CHECK(first_finding("a: b\nc: \xff\n") == "f.yaml:2:4: error: not UTF-8 [bad-yaml]");
  for (std::string_view text : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80",
                                "\xff\xfe"
                                "a"}) {
    CAPTURE(text);
    CHECK(first_finding(text).ends_with("not UTF-8 [bad-yaml]"));
  }
  CHECK(first_finding(std::string("a: \0", 4)) == "f.yaml:1:4: error: a control character [bad-yaml]");
}

TEST_CASE("document: size, nodes and depth are limited") {
  CHECK(first_finding("a: " + std::string(max_document_bytes, 'x')).ends_with("[file-too-large]"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(first_finding(bomb) ==
        "f.yaml:5:45: error: more than 100000 nodes, counted after alias expansion [file-too-large]");
  CHECK(first_finding(std::string(10'000, '[')).ends_with("[bad-yaml]"));
  std::string many;
  for (int i = 0; i < 40'000; ++i) many += "k" + std::to_string(i) + ": v\n";
  CHECK(good(many).entries.size() == 40'000);
}
