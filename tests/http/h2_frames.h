// Frames of HTTP/2 as a test's peer writes and reads them: RFC 9113 §4, §6 and RFC 7541 written down once more, so that
// the library under the product does not check itself.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lunar::test {

enum FrameType : uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
};

namespace flag {
inline constexpr uint8_t none = 0x0;
inline constexpr uint8_t ack = 0x1;
inline constexpr uint8_t end_stream = 0x1;
inline constexpr uint8_t end_headers = 0x4;
inline constexpr uint8_t padded = 0x8;
inline constexpr uint8_t priority = 0x20;
inline constexpr uint8_t whole = end_stream | end_headers;
}  // namespace flag

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

[[nodiscard]] std::string big_endian(uint64_t number, unsigned size);
[[nodiscard]] uint32_t number_at(std::string_view bytes, size_t offset);  // 32 bits

[[nodiscard]] std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
[[nodiscard]] std::vector<Frame> frames_of(std::string_view bytes);  // complete frames alone

using FieldLines = std::vector<std::pair<std::string, std::string>>;

// HPACK: literals without indexing, nothing compressed.
[[nodiscard]] std::string literal(std::string_view name, std::string_view value);
[[nodiscard]] std::string block(const FieldLines& fields);
[[nodiscard]] std::string unhex(std::string_view digits);  // blanks between them are ignored

[[nodiscard]] FieldLines request_fields(const FieldLines& more = {});  // GET https://a.example/
[[nodiscard]] FieldLines post_fields(const FieldLines& more = {});
[[nodiscard]] FieldLines without(FieldLines fields, std::string_view name);
[[nodiscard]] FieldLines with(FieldLines fields, std::string_view name, std::string_view value);  // replaced

[[nodiscard]] std::string headers_frame(uint32_t stream, const FieldLines& fields, uint8_t flags = flag::whole);
[[nodiscard]] std::string data_frame(uint32_t stream, std::string_view bytes, uint8_t flags = flag::none);
[[nodiscard]] std::string settings_frame(std::initializer_list<std::pair<uint16_t, uint32_t>> entries);
[[nodiscard]] std::string settings_ack();
[[nodiscard]] std::string reset_frame(uint32_t stream, uint32_t code);
[[nodiscard]] std::string goaway_frame(uint32_t last_stream, uint32_t code, std::string_view text = {});
[[nodiscard]] std::string window_frame(uint32_t stream, uint32_t increment);
[[nodiscard]] std::string ping_frame(std::string_view eight_bytes, uint8_t flags = flag::none);

}  // namespace lunar::test
