#include "flowengine/spec/reader.h"

#include <doctest/doctest.h>

#include <functional>

#include "flowengine/spec/document.h"

using namespace lunar;

namespace {

// Reads the value of `k: text` and gives what was found, as printed.
struct Read {
  Diagnostics findings;
  Value root;

  explicit Read(std::string_view text) {
    auto document = read_document("f", "k: " + std::string(text), findings);
    REQUIRE(document);
    root = *std::move(document);
  }
  [[nodiscard]] const Value& value() const { return root.entries[0].value; }
  [[nodiscard]] Reader reader() { return {"f", findings}; }
  [[nodiscard]] std::string printed() const {
    std::string out;
    for (const Diagnostic& finding : findings.list()) out += finding.print() + "\n";
    return out;
  }
};

template <class T>
void check(std::string_view text, std::function<std::optional<T>(Reader&, const Value&)> read,
           std::optional<T> expected, std::string_view finding) {
  CAPTURE(text);
  Read given(text);
  Reader reader = given.reader();
  CHECK(read(reader, given.value()) == expected);
  CHECK(given.printed() == (finding.empty() ? "" : "f:1:4: " + std::string(finding) + "\n"));
}

}  // namespace

TEST_CASE("reader: integers") {
  auto read = [](Reader& reader, const Value& value) { return reader.integer(value, {1, 1000}); };
  check<int64_t>("429", read, 429, "");
  check<int64_t>("0x10", read, 16, "");
  check<int64_t>("0o17", read, 15, "");
  check<int64_t>("+7", read, 7, "");
  check<int64_t>("\"429\"", read, 429, "warning: \"429\" is read as 429 [coerced]");
  check<int64_t>("2.0", read, 2, "warning: 2.0 is read as 2 [coerced]");
  check<int64_t>("1e2", read, 100, "warning: 1e2 is read as 100 [coerced]");
  check<int64_t>("2.5", read, std::nullopt, "error: expected an integer, found 2.5 [bad-type]");
  check<int64_t>("abc", read, std::nullopt, "error: expected an integer, found \"abc\" [bad-type]");
  check<int64_t>("true", read, std::nullopt, "error: expected an integer, found true [bad-type]");
  check<int64_t>("[1]", read, std::nullopt, "error: expected an integer, found a list [bad-type]");
  check<int64_t>("{a: 1}", read, std::nullopt, "error: expected an integer, found a mapping [bad-type]");
  check<int64_t>(".inf", read, std::nullopt, "error: expected an integer, found .inf [bad-type]");
  check<int64_t>("99999999999999999999", read, std::nullopt,
                 "error: expected an integer, found 99999999999999999999 [bad-type]");
  check<int64_t>("0", read, std::nullopt, "error: 0 is not between 1 and 1000 [out-of-range]");
  check<int64_t>("1001", read, std::nullopt, "error: 1001 is not between 1 and 1000 [out-of-range]");
  auto open = [](Reader& reader, const Value& value) {
    return reader.integer(value, {16, std::numeric_limits<int64_t>::max()});
  };
  check<int64_t>("3", open, std::nullopt, "error: 3 is not 16 or more [out-of-range]");
}

TEST_CASE("reader: numbers") {
  auto read = [](Reader& reader, const Value& value) { return reader.number(value, {0, 100}); };
  check<double>("2", read, 2.0, "");
  check<double>("12.5", read, 12.5, "");
  check<double>("\"0.5\"", read, 0.5, "warning: \"0.5\" is read as 0.5 [coerced]");
  check<double>("abc", read, std::nullopt, "error: expected a number, found \"abc\" [bad-type]");
  check<double>(".nan", read, std::nullopt, "error: expected a number, found .nan [bad-type]");
  check<double>("nan", read, std::nullopt, "error: expected a number, found \"nan\" [bad-type]");
  check<double>("100.5", read, std::nullopt, "error: 100.5 is not between 0 and 100 [out-of-range]");
}

TEST_CASE("reader: booleans") {
  auto read = [](Reader& reader, const Value& value) { return reader.boolean(value); };
  check<bool>("true", read, true, "");
  check<bool>("False", read, false, "");
  check<bool>("\"true\"", read, true, "warning: \"true\" is read as true [coerced]");
  check<bool>("yes", read, true, "warning: \"yes\" is read as true [coerced]");
  check<bool>("Off", read, false, "warning: \"Off\" is read as false [coerced]");
  check<bool>("1", read, std::nullopt, "error: expected true or false, found 1 [bad-type]");
  check<bool>("maybe", read, std::nullopt, "error: expected true or false, found \"maybe\" [bad-type]");
}

TEST_CASE("reader: texts") {
  auto read = [](Reader& reader, const Value& value) { return reader.string(value); };
  auto silent = [](Reader& reader, const Value& value) { return reader.string(value, Reader::Coercion::silent); };
  check<std::string>("abc", read, "abc", "");
  check<std::string>("\"5\"", read, "5", "");
  check<std::string>("007", read, "007", "warning: 007 is read as the text \"007\" [coerced]");
  check<std::string>("true", read, "true", "warning: true is read as the text \"true\" [coerced]");
  check<std::string>("5", silent, "5", "");
  check<std::string>("[a]", read, std::nullopt, "error: expected a text, found a list [bad-type]");
}

TEST_CASE("reader: lists") {
  auto read = [](Reader& reader, const Value& value) { return reader.strings(value); };
  auto silent = [](Reader& reader, const Value& value) { return reader.strings(value, Reader::Coercion::silent); };
  using Strings = std::vector<std::string>;
  check<Strings>("[a, b, null]", read, Strings{"a", "b"}, "");
  check<Strings>("[]", read, Strings{}, "");
  check<Strings>("a", read, Strings{"a"}, "warning: \"a\" is read as a list of one [coerced]");
  check<Strings>("a", silent, Strings{"a"}, "");
  check<Strings>("{a: b}", read, std::nullopt, "error: expected a list, found a mapping [bad-type]");
  Read nested("[[a]]");
  CHECK_FALSE(nested.reader().strings(nested.value()));
  CHECK(nested.printed() == "f:1:5: error: expected a text, found a list [bad-type]\n");
}

TEST_CASE("reader: choices") {
  constexpr std::string_view names[] = {"memory", "redis"};
  auto read = [&](Reader& reader, const Value& value) { return reader.choice(value, names); };
  check<size_t>("redis", read, 1, "");
  check<size_t>("Redis", read, std::nullopt, "error: \"Redis\" is not one of memory, redis [out-of-range]");
}

TEST_CASE("reader: maps, and keys that they should not have") {
  constexpr std::string_view known[] = {"alpha", "beta"};
  Read given("{alpha: 1, alpa: 2, zzz: 3}");
  Reader reader = given.reader();
  CHECK(reader.map(given.value()));
  reader.warn_unknown_keys(given.value(), known);
  CHECK(given.printed() ==
        "f:1:15: warning: `alpa` is not known here and has no effect; did you mean `alpha`? [unknown-key]\n"
        "f:1:24: warning: `zzz` is not known here and has no effect [unknown-key]\n");
  Read scalar("5");
  CHECK_FALSE(scalar.reader().map(scalar.value()));
  CHECK(scalar.printed() == "f:1:4: error: expected a mapping, found 5 [bad-type]\n");
}

TEST_CASE("reader: a long or broken text is named on one short line") {
  Read given("\"" + std::string(500, 'x') + "\\n\"");
  CHECK(describe(given.value()) == "\"" + std::string(80, 'x') + "...\"");
  CHECK(describe(Read("\"a\\nb\"").value()) == "\"a b\"");
}
