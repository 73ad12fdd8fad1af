// JSONPath (RFC 9535) over any JSON value.
#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "flowengine/expr/json.h"
#include "flowengine/expr/syntax_fault.h"

namespace lunar {

namespace jsonpath {
struct Query;
}

class JsonPath {
 public:
  [[nodiscard]] static std::expected<JsonPath, SyntaxFault> parse(std::string_view text);
  [[nodiscard]] bool singular() const;
  // In the order of the RFC; nothing where the work would exceed the bounds of a walk.
  [[nodiscard]] std::vector<const Json*> evaluate(const Json& document) const;

 private:
  explicit JsonPath(std::shared_ptr<const jsonpath::Query> query) : query_(std::move(query)) {}

  std::shared_ptr<const jsonpath::Query> query_;
};

}  // namespace lunar
