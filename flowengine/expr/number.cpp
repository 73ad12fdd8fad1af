#include "flowengine/expr/number.h"

#include <charconv>
#include <cmath>

namespace lunar {

std::optional<double> decimal_number(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool complete = error == std::errc() && end == text.data() + text.size();
  return complete && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> integral_number(double number) {
  constexpr double limit = 9223372036854775808.0;  // 2^63, the first that does not fit
  if (number != std::floor(number) || number >= limit || number < -limit) return std::nullopt;
  return static_cast<int64_t>(number);
}

std::optional<int64_t> integral_number(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  auto decimal = decimal_number(text);
  return decimal ? integral_number(*decimal) : std::nullopt;
}

}  // namespace lunar
