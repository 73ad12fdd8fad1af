// Changes to the query of a URL; what is not named stays byte for byte as it was.
#pragma once

#include <string>
#include <string_view>

namespace lunar {

[[nodiscard]] std::string without_query_param(std::string_view query, std::string_view name);
// In the place of the first of that name, or at the end.
[[nodiscard]] std::string with_query_param(std::string_view query, std::string_view name, std::string_view value);

}  // namespace lunar
