// What a misspelt name may have meant.
#pragma once

#include <span>
#include <string_view>

namespace lunar {

// The candidate with the fewest edits from `name`, or an empty view when none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace lunar
