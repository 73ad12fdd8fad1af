// One field line of an HTTP/1 head, and a list of them that allocates only for unusually long heads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lunar::http {

// Names that the gateway itself acts upon, recognised once while parsing.
enum class FieldKind : uint8_t {
  other,
  host,
  connection,
  keep_alive,
  proxy_connection,
  content_length,
  transfer_encoding,
  te,
  trailer,
  expect,
  upgrade,
  authorization,
  www_authenticate,
  proxy_authenticate,
  proxy_authorization,
  proxy_other,  // any further Proxy-*
  lunar,        // x-lunar-*
};

struct Field {
  std::string_view name;
  std::string_view value;  // without the whitespace around it
  FieldKind kind = FieldKind::other;
};

[[nodiscard]] FieldKind field_kind(std::string_view name);  // of a valid token, ignoring case
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right);

// Reused from message to message: clear() keeps what was allocated.
class FieldList {
 public:
  static constexpr size_t inline_capacity = 64;

  FieldList() = default;
  FieldList(const FieldList&) = delete;
  FieldList& operator=(const FieldList&) = delete;

  void clear() {
    size_ = 0;
    data_ = inline_.data();
    capacity_ = inline_capacity;
  }
  void add(const Field& field) {
    if (size_ == capacity_) grow();
    data_[size_++] = field;
  }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const Field& operator[](size_t index) const { return data_[index]; }
  [[nodiscard]] const Field* begin() const { return data_; }
  [[nodiscard]] const Field* end() const { return data_ + size_; }
  [[nodiscard]] std::span<const Field> span() const { return {data_, size_}; }

  [[nodiscard]] const Field* find(FieldKind kind) const;         // the first one
  [[nodiscard]] const Field* find(std::string_view name) const;  // the first one, ignoring case

 private:
  void grow();

  std::array<Field, inline_capacity> inline_;
  size_t size_ = 0;
  size_t capacity_ = inline_capacity;
  Field* data_ = inline_.data();
  std::vector<Field> overflow_;
};

}  // namespace lunar::http
