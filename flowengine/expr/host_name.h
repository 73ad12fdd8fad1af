// Host names as patterns write them, in the form in which requests carry them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lunar {

// One label in lower case and in its ASCII form (RFC 3492 behind `xn--`). Nothing for what is no label. Letters are
// lowered by their simple forms for Latin, Greek and Cyrillic; text is taken as it is composed (no NFC), and the tables
// of IDNA on which characters may stand in a name are not consulted.
[[nodiscard]] std::optional<std::string> ascii_label(std::string_view label);

}  // namespace lunar
