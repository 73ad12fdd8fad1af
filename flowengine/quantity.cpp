#include "flowengine/quantity.h"

#include <limits>
#include <span>

namespace lunar {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr Unit size_units[] = {{"", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}};
constexpr uint64_t largest = std::numeric_limits<int64_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `digits` times `factor`, as long as the result is at most `largest`.
std::optional<uint64_t> scaled(std::string_view digits, uint64_t factor) {
  uint64_t value = 0;
  for (char c : digits) {
    auto digit = static_cast<uint64_t>(c - '0');
    if (value > (largest - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value > largest / factor ? std::nullopt : std::optional(value * factor);
}

// The part behind the point; nothing where it is not a whole number of the smallest unit.
std::optional<uint64_t> fraction(std::string_view digits, uint64_t factor) {
  uint64_t divisor = 1;
  if (digits.empty() || digits.size() > 9) return std::nullopt;
  for (size_t i = 0; i < digits.size(); ++i) divisor *= 10;
  auto value = scaled(digits, factor);
  if (!value || *value % divisor != 0) return std::nullopt;
  return *value / divisor;
}

std::optional<uint64_t> quantity(std::string_view text, std::span<const Unit> units) {
  size_t whole = 0;
  while (whole < text.size() && is_digit(text[whole])) ++whole;
  size_t end = whole;
  bool has_point = end < text.size() && text[end] == '.';
  if (has_point) ++end;
  while (has_point && end < text.size() && is_digit(text[end])) ++end;
  if (whole == 0) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(end) != unit.name) continue;
    auto value = scaled(text.substr(0, whole), unit.factor);
    auto part = has_point ? fraction(text.substr(whole + 1, end - whole - 1), unit.factor) : 0;
    if (!value || !part || *value > largest - *part) return std::nullopt;
    return *value + *part;
  }
  return std::nullopt;
}

std::string quantity_text(uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) best = &unit;
  return std::to_string(value / best->factor) + std::string(best->name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  auto value = quantity(text, duration_units);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(static_cast<int64_t>(*value));
}

std::optional<uint64_t> parse_size(std::string_view text) { return quantity(text, size_units); }

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  return quantity_text(static_cast<uint64_t>(duration.count()), duration_units);
}

std::string size_text(uint64_t bytes) { return quantity_text(bytes, size_units); }

}  // namespace lunar
