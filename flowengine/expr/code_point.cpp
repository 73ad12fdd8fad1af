#include "flowengine/expr/code_point.h"

#include <algorithm>

namespace lunar {
namespace {

// A run of capitals: the small letter is `distance` further; in alternating runs every second one is a capital.
struct Capitals {
  uint32_t first, last;
  int32_t distance;
  bool alternating;
};

constexpr Capitals runs[] = {
    {0x41, 0x5A, 32, false},   {0xC0, 0xD6, 32, false},   {0xD8, 0xDE, 32, false},   {0x100, 0x12E, 1, true},
    {0x132, 0x136, 1, true},   {0x139, 0x147, 1, true},   {0x14A, 0x176, 1, true},   {0x178, 0x178, -121, false},
    {0x179, 0x17D, 1, true},   {0x1CD, 0x1DB, 1, true},   {0x1DE, 0x1EE, 1, true},   {0x1F8, 0x21E, 1, true},
    {0x222, 0x232, 1, true},   {0x386, 0x386, 38, false}, {0x388, 0x38A, 37, false}, {0x38C, 0x38C, 64, false},
    {0x38E, 0x38F, 63, false}, {0x391, 0x3A1, 32, false}, {0x3A3, 0x3AB, 32, false}, {0x400, 0x40F, 80, false},
    {0x410, 0x42F, 32, false}, {0x460, 0x480, 1, true},   {0x48A, 0x4BE, 1, true},   {0x4C0, 0x4C0, 15, false},
    {0x4C1, 0x4CD, 1, true},   {0x4D0, 0x52E, 1, true},   {0x1E00, 0x1E94, 1, true}, {0x1EA0, 0x1EFE, 1, true},
};

char byte(uint32_t value) { return static_cast<char>(static_cast<uint8_t>(value)); }

}  // namespace

std::string utf8(uint32_t code_point) {
  auto low = [code_point](int bits) { return byte(0x80U | ((code_point >> bits) & 0x3FU)); };
  if (code_point < 0x80) return {byte(code_point)};
  if (code_point < 0x800) return {byte(0xC0U | (code_point >> 6)), low(0)};
  if (code_point < 0x10000) return {byte(0xE0U | (code_point >> 12)), low(6), low(0)};
  return {byte(0xF0U | (code_point >> 18)), low(12), low(6), low(0)};
}

std::optional<uint32_t> take_code_point(std::string_view& bytes) {
  if (bytes.empty()) return std::nullopt;
  auto lead = static_cast<uint8_t>(bytes[0]);
  size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || bytes.size() < length) return std::nullopt;
  uint32_t value = length == 1 ? lead : lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    auto next = static_cast<uint8_t>(bytes[i]);
    if ((next & 0xC0U) != 0x80U) return std::nullopt;
    value = (value << 6) | (next & 0x3FU);
  }
  constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return std::nullopt;
  bytes.remove_prefix(length);
  return value;
}

uint32_t lower_letter(uint32_t code_point) {
  const auto* run = std::ranges::find_if(
      runs, [code_point](const Capitals& one) { return code_point >= one.first && code_point <= one.last; });
  if (run == std::end(runs) || (run->alternating && (code_point - run->first) % 2 == 1)) return code_point;
  return static_cast<uint32_t>(static_cast<int32_t>(code_point) + run->distance);
}

}  // namespace lunar
