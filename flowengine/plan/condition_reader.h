// Operator entries, expressions and status codes of a filter, from YAML (flows.md §3, §5.1): shared by the filters of
// flows and quotas and by the processor Filter. Each reader adds a finding where an entry does not fit and leaves it
// out.
#pragma once

#include <vector>

#include "flowengine/plan/filter.h"
#include "flowengine/spec/reader.h"

namespace lunar {

// `{key, value, operation}` entries; a single mapping is a list of one.
[[nodiscard]] std::vector<NamedCondition> read_named_conditions(const Value& value, Reader& reader);
// Entries `{key: "$...", operation, value}` and strings. Root and body needs are those of the expression.
[[nodiscard]] std::vector<ExpressionEntry> read_expressions(const Value& value, Reader& reader);
// `{key, regex_match}`: an expression on the request's body, unless the key starts with `$`.
[[nodiscard]] std::vector<ExpressionEntry> read_body_entries(const Value& value, Reader& reader);
// 404, "404", "400-499", or a list of such.
[[nodiscard]] std::vector<StatusRange> read_status_codes(const Value& value, Reader& reader);
[[nodiscard]] std::optional<Condition> make_condition(Operation operation, const std::string& text, Position at,
                                                      Reader& reader);

}  // namespace lunar
