// The operator entries of flows.md §3.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flowengine/expr/regex.h"

namespace lunar {

enum class Operation : uint8_t { eq, neq, gt, gte, lt, lte, regex, exists, not_exists };

[[nodiscard]] std::optional<Operation> operation_from_name(std::string_view name);
[[nodiscard]] std::span<const std::string_view> all_operation_names();  // in the order of the enumeration

class Condition {
 public:
  // Fails for a `regex` whose value is none (`bad-regex`).
  [[nodiscard]] static std::expected<Condition, SyntaxFault> make(Operation operation, std::string value);

  [[nodiscard]] Operation operation() const { return operation_; }
  [[nodiscard]] const std::string& value() const { return value_; }
  // Of all values of a key; none: the key is absent.
  [[nodiscard]] bool holds(std::span<const std::string_view> values) const;
  [[nodiscard]] bool holds(std::optional<std::string_view> value) const;

 private:
  Condition(Operation operation, std::string value) : operation_(operation), value_(std::move(value)) {}
  [[nodiscard]] bool holds_for(std::string_view value) const;

  Operation operation_;
  std::string value_;
  std::optional<Regex> regex_;
};

}  // namespace lunar
