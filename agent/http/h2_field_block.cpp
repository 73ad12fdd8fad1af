#include "agent/http/h2_field_block.h"

namespace lunar::http {
namespace {

constexpr size_t kept_bytes = 2048;
constexpr size_t kept_fields = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

void H2FieldBlock::add(std::string_view name, std::string_view value) {
  bytes_.append(name).append(value);
  extents_.push_back({static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size())});
}

void H2FieldBlock::add_in_lower_case(std::string_view name, std::string_view value) {
  size_t begin = bytes_.size();
  add(name, value);
  for (size_t i = begin; i < begin + name.size(); ++i) bytes_[i] = lower(bytes_[i]);
}

void H2FieldBlock::clear() {
  bytes_.clear();
  extents_.clear();
  views_.clear();
  if (bytes_.capacity() > kept_bytes) bytes_.shrink_to_fit();
  if (extents_.capacity() > kept_fields) extents_.shrink_to_fit();
  if (views_.capacity() > kept_fields) views_.shrink_to_fit();
}

std::span<const H2Field> H2FieldBlock::fields() {
  views_.clear();
  views_.reserve(extents_.size());
  for_each([this](const H2Field& field) { views_.push_back(field); });
  return views_;
}

}  // namespace lunar::http
