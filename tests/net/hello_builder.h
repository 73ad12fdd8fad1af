// ClientHellos for tests, byte by byte as RFC 8446 writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lunar::test {

inline std::string number(size_t value, size_t width) {
  std::string out;
  while (width-- > 0) out += static_cast<char>(value >> (8 * width) & 0xff);
  return out;
}

inline std::string vector(std::string_view content, size_t length_width) {
  return number(content.size(), length_width) + std::string(content);
}

inline std::string extension(uint16_t type, std::string_view content) { return number(type, 2) + vector(content, 2); }

inline std::string sni_extension(std::string_view name) {
  return extension(0, vector(number(0, 1) + vector(name, 2), 2));
}

inline std::string alpn_extension(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += vector(protocol, 1);
  return extension(16, vector(list, 2));
}

inline std::string versions_extension(const std::vector<uint16_t>& versions) {
  std::string list;
  for (uint16_t version : versions) list += number(version, 2);
  return extension(43, vector(list, 1));
}

// The handshake message around these extensions.
inline std::string hello_message(std::string_view extensions) {
  std::string body = number(0x0303, 2) + std::string(32, 'r') + vector(std::string(32, 's'), 1) +
                     vector("\x13\x01\x13\x02", 2) + vector(std::string(1, '\0'), 1) + vector(extensions, 2);
  return number(1, 1) + vector(body, 3);
}

inline std::string record(std::string_view fragment, unsigned type = 22, unsigned version = 0x0301) {
  return number(type, 1) + number(version, 2) + vector(fragment, 2);
}

// The message in records of at most `size` bytes.
inline std::string in_records(std::string_view message, size_t size) {
  std::string out;
  for (size_t at = 0; at < message.size(); at += size) out += record(message.substr(at, size));
  return out;
}

}  // namespace lunar::test
