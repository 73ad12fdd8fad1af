// Which bytes HTTP/1 allows where (RFC 9110 §5.6.2, §5.5; RFC 9112 §3.2), as tables.
#pragma once

#include <array>
#include <string_view>

namespace lunar::http {

using ByteSet = std::array<bool, 256>;

inline constexpr ByteSet token_bytes = [] {
  ByteSet set{};
  for (unsigned c = '0'; c <= '9'; ++c) set[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) set[c] = set[c - 'a' + 'A'] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) set[static_cast<unsigned char>(c)] = true;
  return set;
}();

// Visible bytes and those above 0x7f, which real targets contain although the grammar does not know them.
inline constexpr ByteSet target_bytes = [] {
  ByteSet set{};
  for (unsigned c = 0x21; c < 256; ++c) set[c] = c != 0x7f;
  return set;
}();

inline constexpr ByteSet value_bytes = [] {
  ByteSet set = target_bytes;
  set[' '] = set['\t'] = true;
  return set;
}();

[[nodiscard]] constexpr bool is_token_byte(char c) { return token_bytes[static_cast<unsigned char>(c)]; }
[[nodiscard]] constexpr bool is_target_byte(char c) { return target_bytes[static_cast<unsigned char>(c)]; }
[[nodiscard]] constexpr bool is_value_byte(char c) { return value_bytes[static_cast<unsigned char>(c)]; }
[[nodiscard]] constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

[[nodiscard]] constexpr bool is_token(std::string_view text) {
  for (char c : text)
    if (!is_token_byte(c)) return false;
  return !text.empty();
}

}  // namespace lunar::http
