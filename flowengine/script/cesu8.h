// The form in which Duktape keeps text: UTF-8 in which a character above U+FFFF is two surrogates of three bytes each,
// so that the length of a string is that of JavaScript.
#pragma once

#include <string>
#include <string_view>

namespace lunar {

[[nodiscard]] std::string to_cesu8(std::string_view utf8);

// Surrogates without a partner become U+FFFD.
[[nodiscard]] std::string from_cesu8(std::string_view text);

}  // namespace lunar
