// Text as a decoder of UTF-8 hands it on.
#pragma once

#include <string>
#include <string_view>

namespace lunar::tokens {

// Whether all of it is UTF-8 (RFC 3629).
[[nodiscard]] bool is_well_formed(std::string_view text);

// With U+FFFD for each maximal part of a sequence that breaks off, and for each byte that begins none (WHATWG Encoding,
// "UTF-8 decoder"; Unicode 15, section 3.9). A byte order mark stays.
[[nodiscard]] std::string well_formed(std::string_view text);

}  // namespace lunar::tokens
