// Numbers in texts of messages: decimal, complete, finite.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lunar {

[[nodiscard]] std::optional<double> decimal_number(std::string_view text);
[[nodiscard]] std::optional<int64_t> integral_number(std::string_view text);  // `2`, and `2.0` and `2e0` too
[[nodiscard]] std::optional<int64_t> integral_number(double number);

}  // namespace lunar
