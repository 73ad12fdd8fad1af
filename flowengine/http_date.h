// Points in time as HTTP and JSON write them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "flowengine/instant.h"

namespace lunar {

// IMF-fixdate and the two obsolete forms that a recipient must know (RFC 9110 §5.6.7). `now` decides the century of the
// form with two digits of a year: one that would lie more than 50 years ahead is in the past.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);
[[nodiscard]] std::string http_date_text(WallTime time);  // IMF-fixdate, rounded down to seconds

// RFC 3339 with any number of fractional digits, of which milliseconds are kept; an offset is applied. The leap second
// 23:59:60 is the second behind it.
[[nodiscard]] std::optional<WallTime> parse_rfc3339(std::string_view text);
[[nodiscard]] std::string rfc3339_text(WallTime time);  // 2025-06-01T12:00:00.250Z

// Seconds with or without a fraction, as `12` and `1.5`; nothing else, no sign, at most 15 digits before the point.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_seconds(std::string_view text);

// `Retry-After` (RFC 9110 §10.2.3): how long to wait, zero for dates that have passed. RFC 9110 has whole seconds, some
// providers send fractions. More than 100 years is no value.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_retry_after(std::string_view text, const Instant& now);

}  // namespace lunar
