// Content codings that views of bodies are decoded from (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lunar::http {

// The decoded text of a complete body; `coding` is the value of Content-Encoding, empty or `identity` for none, several
// are undone from the last to the first. Nothing for an unknown coding, broken data, data that is cut or followed by
// more, or a result above `limit` bytes.
[[nodiscard]] std::optional<std::string> decode_content(std::string_view body, std::string_view coding, size_t limit);

}  // namespace lunar::http
