// JSON strings written straight into a buffer, for lines that are too many to build a document for each.
#pragma once

#include <string>
#include <string_view>

namespace lunar {

// Appends `text` in quotes. Bytes that are no valid UTF-8 (RFC 3629) become U+FFFD: the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

// The same without quotes.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace lunar
