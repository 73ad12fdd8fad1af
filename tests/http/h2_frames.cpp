#include "tests/http/h2_frames.h"

#include <algorithm>

namespace lunar::test {
namespace {

// RFC 7541 §5.1 with a prefix of seven bits.
std::string prefixed_size(size_t size) {
  if (size < 127) return big_endian(size, 1);
  std::string out = "\x7f";
  for (size -= 127; size >= 128; size >>= 7) out += static_cast<char>(0x80 | (size & 0x7f));
  return out + static_cast<char>(size);
}

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

std::string big_endian(uint64_t number, unsigned size) {
  std::string out;
  while (size-- > 0) out += static_cast<char>(number >> (8 * size));
  return out;
}

uint32_t number_at(std::string_view bytes, size_t offset) {
  uint32_t number = 0;
  for (char c : bytes.substr(offset, 4)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = big_endian(payload.size(), 3);
  return out.append(big_endian(type, 1)).append(big_endian(flags, 1)).append(big_endian(stream, 4)).append(payload);
}

std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> out;
  while (bytes.size() >= 9) {
    size_t length = number_at(bytes, 0) >> 8;
    if (bytes.size() < 9 + length) break;
    out.push_back({static_cast<uint8_t>(bytes[3]), static_cast<uint8_t>(bytes[4]), number_at(bytes, 5),
                   std::string(bytes.substr(9, length))});
    bytes.remove_prefix(9 + length);
  }
  return out;
}

std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  return out.append(prefixed_size(name.size())).append(name).append(prefixed_size(value.size())).append(value);
}

std::string block(const FieldLines& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += literal(name, value);
  return out;
}

std::string unhex(std::string_view digits) {
  std::string bare(digits);
  std::erase(bare, ' ');
  std::string out;
  for (size_t i = 0; i + 1 < bare.size(); i += 2) out += static_cast<char>(digit(bare[i]) << 4 | digit(bare[i + 1]));
  return out;
}

FieldLines request_fields(const FieldLines& more) {
  FieldLines out{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

FieldLines post_fields(const FieldLines& more) { return with(request_fields(more), ":method", "POST"); }

FieldLines without(FieldLines fields, std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}

FieldLines with(FieldLines fields, std::string_view name, std::string_view value) {
  for (auto& field : fields)
    if (field.first == name) field.second = value;
  return fields;
}

std::string headers_frame(uint32_t stream, const FieldLines& fields, uint8_t flags) {
  return frame(headers, flags, stream, block(fields));
}

std::string data_frame(uint32_t stream, std::string_view bytes, uint8_t flags) {
  return frame(data, flags, stream, bytes);
}

std::string settings_frame(std::initializer_list<std::pair<uint16_t, uint32_t>> entries) {
  std::string payload;
  for (const auto& [id, value] : entries) payload.append(big_endian(id, 2)).append(big_endian(value, 4));
  return frame(settings, flag::none, 0, payload);
}

std::string settings_ack() { return frame(settings, flag::ack, 0, {}); }

std::string reset_frame(uint32_t stream, uint32_t code) {
  return frame(rst_stream, flag::none, stream, big_endian(code, 4));
}

std::string goaway_frame(uint32_t last_stream, uint32_t code, std::string_view text) {
  return frame(goaway, flag::none, 0, big_endian(last_stream, 4).append(big_endian(code, 4)).append(text));
}

std::string window_frame(uint32_t stream, uint32_t increment) {
  return frame(window_update, flag::none, stream, big_endian(increment, 4));
}

std::string ping_frame(std::string_view eight_bytes, uint8_t flags) { return frame(ping, flags, 0, eight_bytes); }

}  // namespace lunar::test
