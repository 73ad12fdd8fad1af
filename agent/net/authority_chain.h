// What a key and its certificates must be, so that clients take what they sign.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "agent/net/secret.h"
#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

inline constexpr size_t max_chain_certificates = 16;

// The private key of `certificate` among those in a PEM text.
[[nodiscard]] Result<KeyPtr> private_key_of(std::string_view pem, const X509& certificate);

[[nodiscard]] Result<Secret> pem_of_private_key(const EVP_PKEY& key);  // PKCS #8, not encrypted

// The first of `given`, of which there is one at least, may sign server certificates with `key` at `now`, and the
// others lead to a root among them. The result begins with the certificate that signs and ends with that root.
[[nodiscard]] Result<std::vector<CertificatePtr>> chain_to_root(const std::vector<CertificatePtr>& given, EVP_PKEY& key,
                                                                WallTime now);

}  // namespace lunar
