// Pieces of schemas that several files use.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "flowengine/expr/json.h"

namespace lunar::schema {

[[nodiscard]] Json text(std::string_view help);
[[nodiscard]] Json word(std::string_view help);  // a text that is not empty
[[nodiscard]] Json boolean(std::string_view help);
[[nodiscard]] Json integer(int64_t low, int64_t high, std::string_view help);
[[nodiscard]] Json number(double low, double high, std::string_view help);
[[nodiscard]] Json choice(std::span<const std::string_view> names, std::string_view help);
[[nodiscard]] Json list(Json items, std::string_view help);
[[nodiscard]] Json one_or_list(Json item, std::string_view help);
[[nodiscard]] Json reference(std::string_view definition);

using Members = std::initializer_list<std::pair<std::string_view, Json>>;
// A null as well: it is as if the key were absent.
[[nodiscard]] Json or_null(Json schema);
// A mapping with these keys and no others; those that are not required may be null.
[[nodiscard]] Json mapping(Members members, std::initializer_list<std::string_view> required, std::string_view help);

// `filter`, and what its keys are made of; into `$defs`.
void define_filter(Json& definitions);

}  // namespace lunar::schema
