// The forms in which providers say when their quota begins anew (flows.md §8.5).
#pragma once

#include <optional>
#include <string_view>

#include "flowengine/instant.h"

namespace lunar {

// Seconds from now, epoch seconds (above 10^9) or milliseconds (above 10^12), an HTTP date, RFC 3339, or `6m0s`.
// Nothing where it is unreadable or more than 100 years ahead; moments that have passed are values.
[[nodiscard]] std::optional<SteadyTime> parse_reset_time(std::string_view text, const Instant& now);

}  // namespace lunar
