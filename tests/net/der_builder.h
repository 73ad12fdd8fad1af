// Certificates of providers, byte by byte as RFC 5280 writes them, so that they can be as wrong as an attacker likes.
// Their signatures are none: minting comes after verification.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lunar::test {

inline std::string tlv(unsigned tag, std::string_view content) {
  std::string length;
  for (size_t rest = content.size(); rest > 0; rest >>= 8) length.insert(0, 1, static_cast<char>(rest & 0xff));
  if (content.size() < 0x80) {
    length = std::string(1, static_cast<char>(content.size()));
  } else {
    length.insert(0, 1, static_cast<char>(0x80 | length.size()));
  }
  return std::string(1, static_cast<char>(tag)) + length + std::string(content);
}

inline std::string sequence(std::string_view content) { return tlv(0x30, content); }
inline std::string integer(std::string_view bytes) { return tlv(0x02, bytes); }
inline std::string oid(std::string_view bytes) { return tlv(0x06, bytes); }
inline std::string octets(std::string_view bytes) { return tlv(0x04, bytes); }
inline std::string bits(std::string_view bytes) { return tlv(0x03, std::string(1, '\0') + std::string(bytes)); }

inline std::string from_hex(std::string_view digits) {
  std::string out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return out;
}

// GeneralName, RFC 5280 §4.2.1.6.
inline std::string dns_name(std::string_view text) { return tlv(0x82, text); }
inline std::string ip_name(std::string_view bytes) { return tlv(0x87, bytes); }
inline std::string email_name(std::string_view text) { return tlv(0x81, text); }
inline std::string uri_name(std::string_view text) { return tlv(0x86, text); }

inline std::string common_name(std::string_view text) {
  return tlv(0x31, sequence(oid("\x55\x04\x03") + tlv(0x0c, text)));
}

// The point that generates P-256.
inline const std::string p256_generator = from_hex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
inline const std::string ec_public_key = oid(from_hex("2a8648ce3d0201"));

inline std::string p256_public_key(std::string_view point = p256_generator) {
  return sequence(sequence(ec_public_key + oid(from_hex("2a8648ce3d030107"))) + bits(point));
}

// The same curve, written out (SEC 1 §C.2): a peer may write another one.
inline std::string explicit_public_key() {
  const std::string prime = from_hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  const std::string a = from_hex("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
  const std::string b = from_hex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
  const std::string order = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  const std::string zero(1, '\0');
  const std::string field = sequence(oid(from_hex("2a8648ce3d0101")) + integer(zero + prime));
  const std::string curve = sequence(octets(a) + octets(b));
  return sequence(sequence(ec_public_key + sequence(integer("\x01") + field + curve + octets(p256_generator) +
                                                    integer(zero + order) + integer("\x01"))) +
                  bits(p256_generator));
}

struct ProviderShape {
  std::string names;  // GeneralNames one after the other; empty: without the extension
  std::string subject = common_name("cn.example.com");
  std::string serial = "\x01";
  std::string public_key = p256_public_key();
  std::string more_extensions = {};
};

inline std::string names_extension(std::string_view names) {
  return sequence(oid("\x55\x1d\x11") + octets(sequence(names)));
}

inline std::string ca_extension() {
  return sequence(oid("\x55\x1d\x13") + tlv(0x01, "\xff") + octets(sequence(tlv(0x01, "\xff"))));
}

inline std::string provider_der(const ProviderShape& shape) {
  const std::string algorithm = sequence(oid(from_hex("2a8648ce3d040302")));
  const std::string validity = sequence(tlv(0x17, "260101000000Z") + tlv(0x17, "360101000000Z"));
  const std::string extensions = (shape.names.empty() ? "" : names_extension(shape.names)) + shape.more_extensions;
  std::string content = tlv(0xa0, integer("\x02")) + integer(shape.serial) + algorithm +
                        sequence(common_name("Some CA")) + validity + sequence(shape.subject) + shape.public_key;
  if (!extensions.empty()) content += tlv(0xa3, sequence(extensions));
  return sequence(sequence(content) + algorithm + bits(sequence(integer("\x01") + integer("\x01"))));
}

}  // namespace lunar::test
