// The whole program as a function, so that tests call what people call.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace lunar::cli {

// `arguments` without the program's name; gives the exit code.
[[nodiscard]] int lunarctl(std::vector<std::string> arguments, const Terminal& terminal);

}  // namespace lunar::cli
