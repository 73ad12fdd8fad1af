#include "flowengine/expr/operation.h"

#include <algorithm>
#include <charconv>
#include <compare>

#include "flowengine/expr/number.h"

namespace lunar {
namespace {

constexpr std::string_view names[] = {"eq", "neq", "gt", "gte", "lt", "lte", "regex", "exists", "not_exists"};

std::optional<int64_t> plain_integer(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool complete = error == std::errc() && end == text.data() + text.size();
  return complete ? std::optional(number) : std::nullopt;
}

// Integers exactly, everything else as floating point; unordered where one is no number.
std::partial_ordering compare_numbers(std::string_view left, std::string_view right) {
  auto left_integer = plain_integer(left), right_integer = plain_integer(right);
  if (left_integer && right_integer) return *left_integer <=> *right_integer;
  auto left_number = decimal_number(left), right_number = decimal_number(right);
  if (!left_number || !right_number) return std::partial_ordering::unordered;
  return *left_number <=> *right_number;
}

}  // namespace

std::optional<Operation> operation_from_name(std::string_view name) {
  const auto* found = std::ranges::find(names, name);
  if (found == std::end(names)) return std::nullopt;
  return static_cast<Operation>(found - std::begin(names));
}

std::span<const std::string_view> all_operation_names() { return names; }

std::expected<Condition, SyntaxFault> Condition::make(Operation operation, std::string value) {
  Condition out(operation, std::move(value));
  if (operation != Operation::regex) return out;
  auto regex = Regex::compile(out.value_);
  if (!regex) return std::unexpected(regex.error());
  out.regex_ = *std::move(regex);
  return out;
}

bool Condition::holds_for(std::string_view value) const {
  switch (operation_) {
    case Operation::eq:
    case Operation::neq:
      return value == value_;
    case Operation::gt:
      return std::is_gt(compare_numbers(value, value_));
    case Operation::gte:
      return std::is_gteq(compare_numbers(value, value_));
    case Operation::lt:
      return std::is_lt(compare_numbers(value, value_));
    case Operation::lte:
      return std::is_lteq(compare_numbers(value, value_));
    case Operation::regex:
      return regex_->search(value);
    case Operation::exists:
    case Operation::not_exists:
      break;
  }
  return true;
}

bool Condition::holds(std::span<const std::string_view> values) const {
  bool some = std::ranges::any_of(values, [this](std::string_view value) { return holds_for(value); });
  if (operation_ == Operation::neq) return !values.empty() && !some;
  return operation_ == Operation::not_exists ? values.empty() : some;
}

bool Condition::holds(std::optional<std::string_view> value) const {
  return value ? holds(std::span(&*value, 1)) : holds(std::span<const std::string_view>());
}

}  // namespace lunar
