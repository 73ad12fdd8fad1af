#include "flowengine/digest.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <span>

namespace lunar {

namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) out.append({digits[byte >> 4], digits[byte & 15]});
  return out;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return hexadecimal(digest);
}

std::string md5_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  size_t size = 0;
  if (EVP_Q_digest(nullptr, "MD5", nullptr, text.data(), text.size(), digest.data(), &size) != 1) return "";
  return hexadecimal(std::span(digest).first(size));
}

}  // namespace lunar
