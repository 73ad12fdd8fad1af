#include "agent/net/leaf_key.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstring>
#include <utility>

namespace lunar {
namespace {

using namespace std::string_view_literals;

// RFC 5480 §2: id-ecPublicKey, secp256r1, a BIT STRING of 66 bytes that begins an uncompressed point. Compared as
// bytes, so that OpenSSL never sees the parameters of another curve.
constexpr std::string_view p256_prefix =
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"sv;
constexpr size_t point_bytes = 64;

}  // namespace

LeafKey::LeafKey(KeyPtr key, std::string public_key) : key_(std::move(key)), public_key_(std::move(public_key)) {}

Result<LeafKey> LeafKey::generate() {
  const CleanErrors clean;
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return openssl_fault("cannot make a P-256 key");
  std::string public_key = public_key_der_of(*key);
  return LeafKey(std::move(key), std::move(public_key));
}

Result<KeyPtr> leaf_public_key(std::string_view der) {
  const CleanErrors clean;
  if (der.size() != p256_prefix.size() + point_bytes || !der.starts_with(p256_prefix))
    return fail("the public key of a leaf certificate must be a P-256 key");
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  KeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (key == nullptr) return openssl_fault("the public key of a leaf certificate is no point of P-256");
  return key;
}

}  // namespace lunar
