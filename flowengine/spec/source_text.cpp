#include "flowengine/spec/source_text.h"

#include <algorithm>

namespace lunar {
namespace {

bool continues(unsigned char byte) { return (byte & 0xc0) == 0x80; }

struct Lead {
  size_t length;
  uint32_t bits;    // of the code point, in the first byte
  uint32_t lowest;  // a smaller code point has a shorter form
};

Lead read_lead(unsigned char byte) {
  if (byte < 0x80) return {1, byte, 0};
  if ((byte & 0xe0) == 0xc0) return {2, byte & 0x1fU, 0x80};
  if ((byte & 0xf0) == 0xe0) return {3, byte & 0x0fU, 0x800};
  if ((byte & 0xf8) == 0xf0) return {4, byte & 0x07U, 0x10000};
  return {0, 0, 0};
}

// Length of the character at the front, or 0.
size_t valid_length(std::string_view text) {
  Lead lead = read_lead(static_cast<unsigned char>(text.front()));
  if (lead.length == 0 || lead.length > text.size()) return 0;
  uint32_t point = lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (!continues(byte)) return 0;
    point = point << 6 | (byte & 0x3fU);
  }
  bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < lead.lowest || point > 0x10ffff || surrogate ? 0 : lead.length;
}

}  // namespace

SourceText::SourceText(std::string_view text) : text_(text), starts_{0} {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') starts_.push_back(i + 1);
}

std::string_view SourceText::line(size_t index) const {
  if (index >= starts_.size()) return {};
  size_t end = index + 1 < starts_.size() ? starts_[index + 1] - 1 : text_.size();
  return text_.substr(starts_[index], end - starts_[index]);
}

Position SourceText::position(size_t line_index, size_t byte_column) const {
  std::string_view before = line(line_index).substr(0, byte_column);
  // Mostly asked from left to right: a file in one long line would take quadratic time otherwise.
  if (line_index != counted_.line || before.size() < counted_.bytes) counted_ = {.line = line_index};
  auto tails = std::ranges::count_if(before.substr(counted_.bytes),
                                     [](char c) { return continues(static_cast<unsigned char>(c)); });
  counted_ = {.line = line_index, .bytes = before.size(), .tails = counted_.tails + static_cast<size_t>(tails)};
  size_t column = byte_column - counted_.tails;
  return {static_cast<uint32_t>(line_index + 1), static_cast<uint32_t>(column + 1)};
}

Position SourceText::position_of(size_t offset) const {
  auto next = std::ranges::upper_bound(starts_, offset);
  auto index = static_cast<size_t>(next - starts_.begin()) - 1;
  return position(index, offset - starts_[index]);
}

size_t SourceText::offset(size_t line_index, size_t byte_column) const {
  size_t start = line_index < starts_.size() ? starts_[line_index] : text_.size();
  return std::min(start + byte_column, text_.size());
}

size_t find_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t length = valid_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace lunar
