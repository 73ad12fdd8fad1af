// Unicode code points and their UTF-8 form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lunar {

[[nodiscard]] std::string utf8(uint32_t code_point);
// Takes the first code point off the front; nothing, and nothing taken, where the bytes are not UTF-8.
[[nodiscard]] std::optional<uint32_t> take_code_point(std::string_view& bytes);
// Simple lower-casing of Latin, Greek and Cyrillic letters.
[[nodiscard]] uint32_t lower_letter(uint32_t code_point);

}  // namespace lunar
