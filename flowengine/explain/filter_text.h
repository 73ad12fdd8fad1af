// The keys of a filter in words, in the order in which they are decided.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flowengine/explain/declarations.h"
#include "flowengine/plan/filter.h"

namespace lunar {

[[nodiscard]] std::string condition_text(std::string_view name, const Condition& condition);  // x-env eq "staging"
[[nodiscard]] std::string expression_text(const ExpressionEntry& entry);
[[nodiscard]] std::string joined(const std::vector<std::string>& texts, std::string_view separator);
[[nodiscard]] std::string joined_names(const std::vector<NamedCondition>& entries, std::string_view separator);
[[nodiscard]] std::string joined_expressions(const std::vector<ExpressionEntry>& entries);
[[nodiscard]] std::string number_text(double value);  // the shortest one

// `key: what it wants`, a line a key.
[[nodiscard]] std::vector<std::string> request_conditions(const Filter& filter, std::string_view flow,
                                                          const Declarations& declarations);
[[nodiscard]] std::vector<std::string> response_conditions(const Filter& filter);

}  // namespace lunar
