// Durations (`250ms`, `10s`, `5m`, `1h`) and sizes (`512`, `10KiB`, `4MiB`, `1GiB`) as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar {

// A whole or decimal number with a unit, exact to the millisecond. Nothing for a missing unit, a sign, an overflow.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// Bytes; a decimal number is allowed where the result is whole.
[[nodiscard]] std::optional<uint64_t> parse_size(std::string_view text);

// The shortest form that parses to the same value.
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);
[[nodiscard]] std::string size_text(uint64_t bytes);

}  // namespace lunar
