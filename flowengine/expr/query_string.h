// The query of a URL as names and values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lunar {

// Percent-escapes and `+` decoded; what is no escape stays as it is.
[[nodiscard]] std::string decode_query_text(std::string_view text);
// Name and value of every member, decoded, in their order; a member without `=` has an empty value.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_query_string(std::string_view query);
// The first value of a name.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace lunar
