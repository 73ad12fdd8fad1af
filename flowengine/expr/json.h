// JSON values as expressions see them. Bodies keep the order of their members.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace lunar {

using Json = nlohmann::ordered_json;

// Deeper texts are refused, so that no walk over a value can exhaust the stack.
inline constexpr size_t deepest_json = 512;

// Of members of one name the last one counts, in the place of the first. Nothing for whatever is not one JSON value.
[[nodiscard]] std::optional<Json> parse_json(std::string_view text);

// flows.md §5.1: strings as they are, integral numbers without a fraction, arrays and objects as compact JSON.
[[nodiscard]] std::string json_text(const Json& value);

// The integral number that a value is, or that its text spells.
[[nodiscard]] std::optional<int64_t> json_integer(const Json& value);
[[nodiscard]] std::optional<double> json_number(const Json& value);

// The bytes with U+FFFD for what is not UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view bytes);

}  // namespace lunar
