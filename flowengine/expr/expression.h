// Expressions of flows.md §5: JSONPath whose root is the request or the response.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "flowengine/expr/json.h"
#include "flowengine/expr/syntax_fault.h"
#include "flowengine/expr/view.h"

namespace lunar {

namespace jsonpath {
struct Query;
}

// What an expression names as the target of a change (flows.md §7.7).
struct Target {
  enum class Kind : uint8_t { none, header, body, path, query, query_param, host, status };
  Kind kind = Kind::none;
  std::string name;  // of the header field or the parameter
};

// Immutable and cheap to copy.
class Expression {
 public:
  // The id of a fault is `bad-jsonpath` or `bad-expression-root`.
  [[nodiscard]] static std::expected<Expression, ExpressionFault> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] Root root() const;
  [[nodiscard]] bool singular() const;
  // Whether an evaluation may look at the body of a message; a filter can name the other message too.
  [[nodiscard]] bool needs_body(Root root) const;
  [[nodiscard]] bool needs_body() const { return needs_body(root()); }
  [[nodiscard]] bool needs_usage() const;
  [[nodiscard]] Target target() const;

  [[nodiscard]] std::optional<std::string> first_text(View& view) const;
  [[nodiscard]] bool holds(View& view) const;  // the result is not empty
  [[nodiscard]] std::optional<int64_t> first_integer(View& view) const;
  [[nodiscard]] std::optional<double> first_number(View& view) const;

  [[nodiscard]] const jsonpath::Query& query() const;

 private:
  struct Plan;
  explicit Expression(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const Plan> plan_;
};

}  // namespace lunar
