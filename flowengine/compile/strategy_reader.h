// The mapping `strategy` of a quota or internal limit (flows.md §8.1), with its other spellings.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "flowengine/expr/expression.h"
#include "flowengine/quota/definition.h"
#include "flowengine/spec/reader.h"

namespace lunar {

struct ReadStrategy {
  std::variant<FixedWindow, Concurrent, HeaderBased> strategy;  // renewal and carry are resolved by the caller
  std::optional<double> percentage;                             // allocation_percentage instead of a strategy
  std::optional<Expression> counter;
  std::optional<std::string> group_by_header;  // lower case; "" means none
  std::optional<MonthlyRenewal> renewal;
};

// `internal`: allocation_percentage is allowed. Nothing when an error was added.
[[nodiscard]] std::optional<ReadStrategy> read_strategy(const Value& strategy, bool internal, Reader& reader);

}  // namespace lunar
