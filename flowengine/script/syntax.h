// Whether the text of a CustomScript (flows.md §7.8) can be compiled. Nothing of it is executed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flowengine/diagnostic.h"

namespace lunar {

struct ScriptFault {
  Position at;  // inside the script; the column is that of the first character of the line, Duktape knows no better
  std::string text;  // one line
};

[[nodiscard]] std::optional<ScriptFault> check_syntax(std::string_view script);

// The source that is compiled: a function whose body is the script, which begins on the second line.
[[nodiscard]] std::string script_source(std::string_view script);

}  // namespace lunar
