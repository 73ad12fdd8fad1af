// Which transactions a flow or a quota concerns (flows.md §3), compiled. URL patterns are matched before, by the
// plan's selector; this decides the other keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flowengine/expr/expression.h"
#include "flowengine/expr/glob.h"
#include "flowengine/expr/operation.h"
#include "flowengine/expr/view.h"
#include "flowengine/message.h"

namespace lunar {

enum class Match : uint8_t { no, yes, needs_body };

struct NamedCondition {
  std::string name;
  Condition condition;
};

// One entry of `body` or `expressions`: without a condition it holds when its path selects something.
struct ExpressionEntry {
  Expression expression;
  std::optional<Condition> condition;

  [[nodiscard]] bool holds(View& view) const;
};

struct StatusRange {
  int low = 100;
  int high = 599;
};

// What is known of a message's body at the time of a decision.
enum class BodyKnown : uint8_t {
  settled,  // as it stands in the message: complete, or never to be had
  pending,  // may still be held if somebody needs it
};

struct Filter {
  std::vector<std::string> methods;  // upper case; empty: every method
  std::vector<NamedCondition> headers, query_params, path_params;
  std::vector<ExpressionEntry> body, request_expressions;
  std::vector<Glob> processes, units;
  std::vector<NamedCondition> response_headers;
  std::vector<ExpressionEntry> response_expressions;
  std::vector<StatusRange> status;
  double sample_percentage = 0;  // 0: always

  // Everything of the request side but the URL. `params` as the matching pattern named them.
  [[nodiscard]] Match request(View& view, const Request& request, const PathParams& params, BodyKnown body) const;
  [[nodiscard]] Match response(View& view, const Response& response, BodyKnown body) const;
  [[nodiscard]] bool has_response_side() const {
    return !response_headers.empty() || !response_expressions.empty() || !status.empty();
  }
};

// Those of the flow that runs; none: an empty list.
[[nodiscard]] const PathParams& path_params_of(const View& view);
// Whether one of the entries holds; those whose body is pending are undecided. No entry: yes.
[[nodiscard]] Match any_expression(const std::vector<ExpressionEntry>& entries, View& view, BodyKnown body);
// Whether every entry, or one of them, holds for the values of its name; no entry: yes.
[[nodiscard]] bool all_fields(const std::vector<NamedCondition>& entries, const Message& message);
[[nodiscard]] bool any_field(const std::vector<NamedCondition>& entries, const Message& message);
[[nodiscard]] bool any_query_param(const std::vector<NamedCondition>& entries, std::string_view query);
[[nodiscard]] bool any_path_param(const std::vector<NamedCondition>& entries, const PathParams& params);
[[nodiscard]] bool any_status(const std::vector<StatusRange>& ranges, int status);

}  // namespace lunar
