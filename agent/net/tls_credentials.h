// What one side of a TLS connection proves its name with: a certificate, the way from there to a root, and the key.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/net/openssl_handles.h"
#include "flowengine/result.h"

namespace lunar {

// Immutable; shared by the engines of all threads, so that nothing is parsed during a handshake.
class TlsCredentials {
 public:
  using Fingerprint = std::array<unsigned char, 32>;  // SHA-256 of the certificate

  // DER; `chain` is what is sent behind the certificate, its issuer first, without the root. `key` is shared and not
  // copied. A key of another certificate is an error.
  [[nodiscard]] static Result<std::shared_ptr<const TlsCredentials>> from_der(std::string_view certificate,
                                                                              std::span<const std::string> chain,
                                                                              evp_pkey_st& key);
  // PEM. NAME.crt with the key in NAME.key beside it, or any other file, with the certificates and the key in it. The
  // first certificate is that of the key.
  [[nodiscard]] static Result<std::shared_ptr<const TlsCredentials>> from_files(const std::string& path);

  [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }

 private:
  friend class TlsClientContext;
  friend class TlsServerContext;

  TlsCredentials() = default;
  [[nodiscard]] Result<> complete();

  OpensslHandle<x509_st> certificate_;
  OpensslHandle<stack_st_X509> chain_;
  OpensslHandle<evp_pkey_st> key_;
  Fingerprint fingerprint_{};
};

}  // namespace lunar
