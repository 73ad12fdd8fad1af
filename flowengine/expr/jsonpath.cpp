#include "flowengine/expr/jsonpath.h"

#include "flowengine/expr/jsonpath_parser.h"
#include "flowengine/expr/jsonpath_walk.h"

namespace lunar {

std::expected<JsonPath, SyntaxFault> JsonPath::parse(std::string_view text) {
  auto query = jsonpath::parse_query(text, jsonpath::Document::any);
  if (!query) return std::unexpected(query.error().fault);
  return JsonPath(std::make_shared<const jsonpath::Query>(*std::move(query)));
}

bool JsonPath::singular() const { return query_->singular; }

std::vector<const Json*> JsonPath::evaluate(const Json& document) const {
  jsonpath::Walk walk({.document = {.value = &document, .inside = &document}});
  std::vector<const Json*> out;
  for (const jsonpath::Node& node : walk.all(*query_)) out.push_back(node.value);
  if (walk.exhausted()) out.clear();
  return out;
}

}  // namespace lunar
