// A configuration file as text.
#pragma once

#include <optional>
#include <string>

#include "flowengine/result.h"

namespace lunar {

// nullopt where there is no such file. Reads at most a little more than a document may have, whatever the file is.
[[nodiscard]] Result<std::optional<std::string>> read_file_text(const std::string& path);

}  // namespace lunar
