// Names and lines of HAR files. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lunar::cli {

// `NAME.2` is older than `NAME.1`, and that older than `NAME`.
struct HarPlace {
  std::string base;
  uint32_t age = 0;
};
[[nodiscard]] HarPlace har_place(const std::string& path);

// Files of one base together, in the order in which the bases are named first.
[[nodiscard]] std::vector<std::string> oldest_first(const std::vector<std::string>& paths);

// The `left`-th entry from the end, from 1 on; nothing: `left` is less by the entries that there are.
[[nodiscard]] std::optional<std::string> line_from_end(std::string_view text, size_t& left);

}  // namespace lunar::cli
