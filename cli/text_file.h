// Whole files as text.
#pragma once

#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar::cli {

[[nodiscard]] Result<std::string> read_text(const std::string& path);
[[nodiscard]] Result<> write_text(const std::string& path, std::string_view text);

}  // namespace lunar::cli
