// Base64 as RFC 4648 §4 has it, and nothing beside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lunar {

// nullopt for anything that no encoder writes: other characters (line feeds too), missing or misplaced padding, and
// bits behind the last byte (RFC 4648 §3.5).
[[nodiscard]] std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace lunar
