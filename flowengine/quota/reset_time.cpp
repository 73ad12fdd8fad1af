#include "flowengine/quota/reset_time.h"

#include <array>
#include <utility>

#include "flowengine/http_date.h"
#include "flowengine/quota/window.h"

namespace lunar {
namespace {

using namespace std::chrono;

constexpr hours longest = hours(24 * 36525);

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<SteadyTime> steady(std::optional<WallTime> time, const Instant& now) {
  if (!time || *time - now.wall > longest) return std::nullopt;
  return steady_time(*time, now);
}

struct TimeUnit {
  std::string_view name;
  nanoseconds length;
};

// Longer names stand before those that they begin with.
constexpr std::array<TimeUnit, 8> time_units = {{{"ms", milliseconds(1)},
                                                 {"us", microseconds(1)},
                                                 {"\xc2\xb5s", microseconds(1)},
                                                 {"ns", nanoseconds(1)},
                                                 {"s", seconds(1)},
                                                 {"m", minutes(1)},
                                                 {"h", hours(1)},
                                                 {"d", hours(24)}}};

std::optional<nanoseconds> take_unit(std::string_view& text) {
  for (const TimeUnit& unit : time_units) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return unit.length;
  }
  return std::nullopt;
}

// 6m0s, 1h2m3.5s, 250ms
std::optional<nanoseconds> parse_span(std::string_view text) {
  nanoseconds sum(0);
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    auto count = parse_seconds(text.substr(0, end));
    text.remove_prefix(end);
    auto unit = take_unit(text);
    if (!count || !unit) return std::nullopt;
    double length = static_cast<double>(count->count()) / 1e9 * static_cast<double>(unit->count());
    if (length > static_cast<double>(nanoseconds(longest).count())) return std::nullopt;
    sum += nanoseconds(static_cast<int64_t>(length));
    if (sum > longest) return std::nullopt;
  }
  return sum;
}

bool is_epoch(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos && text.size() >= 10 && text.size() <= 15;
}

}  // namespace

std::optional<SteadyTime> parse_reset_time(std::string_view text, const Instant& now) {
  text = trimmed(text);
  if (is_epoch(text)) {
    int64_t value = 0;
    for (char c : text) value = value * 10 + (c - '0');
    if (value > 1'000'000'000'000) return steady(WallTime(milliseconds(value)), now);
    if (value > 1'000'000'000) return steady(WallTime(seconds(value)), now);
  }
  if (auto wait = parse_seconds(text)) return now.steady + *wait;
  if (auto wait = parse_span(text)) return now.steady + *wait;
  if (auto time = steady(parse_http_date(text, now.wall), now)) return time;
  return steady(parse_rfc3339(text), now);
}

}  // namespace lunar
