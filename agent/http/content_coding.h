// Content codings that views of bodies are decoded from (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace lunar::http {

// Why a body has no text.
enum class CodingFault : uint8_t {
  unreadable,  // an unknown coding, broken data, data that is cut or followed by more
  too_long,    // it would have more than `limit` bytes, in itself or on the way there
};

// The decoded text of a complete body; `coding` is the value of Content-Encoding, empty or `identity` for none, several
// are undone from the last to the first.
[[nodiscard]] std::expected<std::string, CodingFault> decode_content(std::string_view body, std::string_view coding,
                                                                     size_t limit);

}  // namespace lunar::http
