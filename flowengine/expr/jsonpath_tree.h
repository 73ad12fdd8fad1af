// What the parser of JSONPath makes of a text (RFC 9535) and the walk reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "flowengine/expr/json.h"
#include "flowengine/expr/regex.h"

namespace lunar::jsonpath {

struct Logical;
struct Call;

struct Selector {
  enum class Kind : uint8_t { name, every, index, slice, filter };
  Kind kind = Kind::every;
  std::string name;
  std::optional<int64_t> start, end;  // of a slice; the start is the index too
  int64_t step = 1;
  std::shared_ptr<const Logical> filter;
};

struct Segment {
  bool descendant = false;
  std::vector<Selector> selectors;
};

// Where a query begins: at the whole document, at one of the messages, or at the node that a filter looks at.
enum class Origin : uint8_t { document, request, response, current };

struct Query {
  Origin origin = Origin::document;
  std::vector<Segment> segments;
  bool singular = true;  // has at most one result, by its form
};

using Operand = std::variant<Json, Query, std::shared_ptr<const Call>>;

enum class Function : uint8_t { length, count, value, match, search };

struct Call {
  Function function{};
  std::vector<Operand> arguments;
  std::optional<Regex> regex;  // of match and search with a literal that is one
};

enum class Comparison : uint8_t { equal, unequal, less, less_or_equal, greater, greater_or_equal };

struct Logical {
  enum class Kind : uint8_t { any, all, negated, exists, compared, called };
  Kind kind = Kind::any;
  std::vector<Logical> parts;     // of any, all, negated
  std::vector<Operand> operands;  // one query, two comparables or one call
  Comparison comparison{};
};

}  // namespace lunar::jsonpath
