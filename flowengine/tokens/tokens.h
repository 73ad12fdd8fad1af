// How many tokens the published tokenizers of OpenAI make of a text (flows.md §7.9), token for token as js-tiktoken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lunar {

enum class Encoding : uint8_t { cl100k_base, o200k_base };

// The names of special tokens are plain text. Bytes that are not UTF-8 count as the U+FFFD that a decoder makes of
// them. Linear in the length, whatever the text is.
[[nodiscard]] size_t count_tokens(Encoding encoding, std::string_view text);

[[nodiscard]] std::string_view encoding_name(Encoding encoding);
[[nodiscard]] std::optional<Encoding> encoding_from_name(std::string_view name);

struct ModelEncoding {
  Encoding encoding = Encoding::cl100k_base;
  bool fell_back = false;  // no model of which we know that it has one of these encodings
};
[[nodiscard]] ModelEncoding encoding_of_model(std::string_view model);

}  // namespace lunar
