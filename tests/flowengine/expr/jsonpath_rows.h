// Rows of JSONPath tests: a query, a document and the values that the query selects, as one array.
#pragma once

#include <doctest/doctest.h>

#include <string_view>

#include "flowengine/expr/jsonpath.h"

namespace lunar {

struct PathRow {
  std::string_view query, document, expected;
};

inline void check_row(const PathRow& row) {
  CAPTURE(row.query);
  CAPTURE(row.document);
  auto document = parse_json(row.document);
  auto path = JsonPath::parse(row.query);
  REQUIRE(document);
  if (!path) FAIL(path.error().text, " at ", path.error().offset);
  Json found = Json::array();
  for (const Json* value : path->evaluate(*document)) found.push_back(*value);
  CHECK(found.dump() == row.expected);
}

}  // namespace lunar
