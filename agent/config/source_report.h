// What is loaded, for people and consoles that ask.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "flowengine/compile/compiler.h"

namespace lunar {

// The files that take effect: without what was left out.
[[nodiscard]] Sources without_files(Sources sources, const std::vector<std::string>& paths);

// [{"type","file_name","content","md5"}]: names below the folder of their type, texts masked; the digest is of the file
// as it is.
[[nodiscard]] nlohmann::json describe_files(const Sources& sources);

}  // namespace lunar
