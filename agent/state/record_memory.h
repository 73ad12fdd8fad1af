// About how much memory things take that wait for the admin thread or for a collector. Limits by number alone would be
// none: texts of a request can be as large as flows.body_limit, and a short body may decode to a long one.
#pragma once

#include <cstddef>

#include "flowengine/run/effect.h"

namespace lunar {

[[nodiscard]] size_t memory_of(const Json& document);
[[nodiscard]] size_t memory_of(const emission::Span& span);
[[nodiscard]] size_t memory_of(const Emission& emission);

}  // namespace lunar
