#include "flowengine/script/cesu8.h"

#include <cstdint>

namespace lunar {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

unsigned char byte_at(std::string_view text, size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

void append_three(std::string& to, uint32_t unit) {
  to += static_cast<char>(0xe0 | unit >> 12);
  to += static_cast<char>(0x80 | (unit >> 6 & 0x3f));
  to += static_cast<char>(0x80 | (unit & 0x3f));
}

void append_four(std::string& to, uint32_t code) {
  to += static_cast<char>(0xf0 | code >> 18);
  to += static_cast<char>(0x80 | (code >> 12 & 0x3f));
  to += static_cast<char>(0x80 | (code >> 6 & 0x3f));
  to += static_cast<char>(0x80 | (code & 0x3f));
}

// The surrogate of the given half (0xa0 high, 0xb0 low) that stands at `at`, or 0.
uint32_t surrogate_at(std::string_view text, size_t at, unsigned char half) {
  const unsigned char second = byte_at(text, at + 1);
  if (byte_at(text, at) != 0xed || (second & 0xf0) != half) return 0;
  return 0xd000U | (second & 0x3fU) << 6 | (byte_at(text, at + 2) & 0x3fU);
}

}  // namespace

std::string to_cesu8(std::string_view utf8) {
  std::string result;
  result.reserve(utf8.size() + utf8.size() / 8);
  for (size_t at = 0; at < utf8.size();) {
    if ((byte_at(utf8, at) & 0xf8) != 0xf0 || at + 4 > utf8.size()) {
      result += utf8[at++];
      continue;
    }
    const auto tail = [&](size_t i) { return byte_at(utf8, at + i) & 0x3fU; };
    const uint32_t above = ((byte_at(utf8, at) & 7U) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3)) - 0x10000;
    append_three(result, 0xd800 | (above >> 10 & 0x3ff));
    append_three(result, 0xdc00 | (above & 0x3ff));
    at += 4;
  }
  return result;
}

std::string from_cesu8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const uint32_t high = surrogate_at(text, at, 0xa0);
    const uint32_t low = surrogate_at(text, high != 0 ? at + 3 : at, 0xb0);
    if (high != 0 && low != 0) {
      append_four(result, 0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff)));
      at += 6;
    } else if (high != 0 || low != 0) {
      result += kReplacement;
      at += 3;
    } else {
      result += text[at++];
    }
  }
  return result;
}

}  // namespace lunar
