// UTF-8 (RFC 3629) in bytes that may be anything.
#pragma once

#include <cstddef>
#include <string_view>

namespace lunar {

// Length of the valid sequence that starts at `at`, or 0. Refuses overlong forms, surrogates and what is above
// U+10FFFF.
[[nodiscard]] size_t utf8_sequence(std::string_view text, size_t at);

// At most `limit` bytes of text, without half a sequence at the end.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, size_t limit);

}  // namespace lunar
