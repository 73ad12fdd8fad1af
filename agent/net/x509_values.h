// Certificates as bytes, texts and times.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/openssl_errors.h"
#include "agent/net/openssl_handles.h"
#include "flowengine/instant.h"
#include "flowengine/result.h"

namespace lunar {

using BioPtr = OpensslHandle<BIO>;
using GeneralNamesPtr = OpensslHandle<stack_st_GENERAL_NAME>;
using KeyPtr = OpensslHandle<EVP_PKEY>;
using NameConstraintsPtr = OpensslHandle<NAME_CONSTRAINTS>;
using CertificatePtr = OpensslHandle<X509>;

// The object of an allocation; throws std::bad_alloc where there is none, as `new` does.
[[nodiscard]] BioPtr memory_bio();
[[nodiscard]] BioPtr reader_of(std::string_view text);  // `text` outlives it
[[nodiscard]] std::string_view content_of(BIO& memory);

// For every function that reads PEM: OpenSSL would ask at the terminal. `asked` is a bool that becomes true.
int refuse_password(char* buffer, int size, int writing, void* asked);

// The whole of `der` is one certificate. Nothing in it is verified.
[[nodiscard]] Result<CertificatePtr> certificate_from_der(std::string_view der);
// All certificates of a PEM text, in its order; other blocks are passed over. More than `limit` are an error.
[[nodiscard]] Result<std::vector<CertificatePtr>> certificates_from_pem(std::string_view pem, size_t limit);

[[nodiscard]] std::string der_of(const X509& certificate);
[[nodiscard]] std::string public_key_der_of(const EVP_PKEY& key);  // SubjectPublicKeyInfo
[[nodiscard]] std::string pem_of(const X509& certificate);
[[nodiscard]] std::string fingerprint_of(const X509& certificate);  // SHA-256 as openssl prints it: AB:CD:…
[[nodiscard]] std::string text_of(const X509_NAME& name);           // RFC 2253, one line of ASCII

struct Validity {
  WallTime not_before;  // from then on
  WallTime not_after;   // OpenSSL takes this second itself for too late

  [[nodiscard]] bool contains(WallTime now) const { return not_before <= now && now < not_after; }
};
[[nodiscard]] Result<Validity> validity_of(const X509& certificate);
[[nodiscard]] std::string date_text(WallTime time);  // 2026-01-31 in UTC

}  // namespace lunar
