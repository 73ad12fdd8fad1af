#include "flowengine/expr/operation.h"

#include <doctest/doctest.h>

#include <vector>

using namespace lunar;

namespace {

bool holds(std::string_view name, std::string value, std::vector<std::string_view> values) {
  return Condition::make(*operation_from_name(name), std::move(value))->holds(values);
}

}  // namespace

TEST_CASE("operations: their nine names and no other") {
  CHECK(all_operation_names().size() == 9);
  for (std::string_view name : all_operation_names()) {
    auto operation = operation_from_name(name);
    REQUIRE(operation);
    CHECK(all_operation_names()[static_cast<size_t>(*operation)] == name);
  }
  for (std::string_view name : {"", "EQ", "equals", "in", "=="}) CHECK_FALSE(operation_from_name(name));
}

TEST_CASE("operations: eq holds for some value, neq when no value is equal, both with case") {
  CHECK(holds("eq", "a", {"a"}));
  CHECK(holds("eq", "a", {"b", "a"}));
  CHECK_FALSE(holds("eq", "a", {"A"}));
  CHECK_FALSE(holds("eq", "1", {"1.0"}));
  CHECK(holds("neq", "a", {"b", "c"}));
  CHECK_FALSE(holds("neq", "a", {"b", "a"}));
  CHECK(holds("neq", "a", {"A"}));
}

TEST_CASE("operations: orders compare numbers and are false for everything else") {
  CHECK(holds("gt", "5", {"6"}));
  CHECK_FALSE(holds("gt", "5", {"5"}));
  CHECK(holds("gte", "5", {"5.0"}));
  CHECK_FALSE(holds("gte", "5", {"4.9"}));
  CHECK(holds("lt", "5", {"10", "-1"}));
  CHECK_FALSE(holds("lt", "5", {"10"}));
  CHECK(holds("lte", "1e3", {"1000"}));
  CHECK(holds("gt", "9", {"10"}));
  CHECK(holds("gt", "9007199254740992", {"9007199254740993"}));
  for (std::string_view name : {"gt", "gte", "lt", "lte"}) {
    CHECK_FALSE(holds(name, "5", {"x"}));
    CHECK_FALSE(holds(name, "x", {"5"}));
    CHECK_FALSE(holds(name, "5", {""}));
    CHECK_FALSE(holds(name, "5", {"nan"}));
    CHECK_FALSE(holds(name, "5", {"inf"}));
    CHECK_FALSE(holds(name, "0", {"0x10"}));
    CHECK_FALSE(holds(name, "5", {"5 apples"}));
  }
}

TEST_CASE("operations: regex looks for a match inside some value") {
  CHECK(holds("regex", "b+", {"x", "abbc"}));
  CHECK_FALSE(holds("regex", "^b", {"ab"}));
  CHECK(holds("regex", "", {"anything"}));
  CHECK(holds("regex", "(?i)ABC", {"xabcx"}));
  auto bad = Condition::make(Operation::regex, "ab[c");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().offset == 2);
  CHECK_FALSE(Condition::make(Operation::regex, R"((a)\1)"));  // back references are not linear
}

TEST_CASE("operations: an absent key makes all of them false except not_exists") {
  for (std::string_view name : all_operation_names()) {
    CAPTURE(name);
    CHECK(holds(name, name == "regex" ? "" : "5", {}) == (name == "not_exists"));
  }
  CHECK(holds("exists", "ignored", {""}));
  CHECK_FALSE(holds("not_exists", "ignored", {""}));
  auto condition = *Condition::make(Operation::eq, "a");
  CHECK(condition.holds(std::optional<std::string_view>("a")));
  CHECK_FALSE(condition.holds(std::optional<std::string_view>()));
}
