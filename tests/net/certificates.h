// Certificates for tests, made in memory.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "agent/net/openssl_handles.h"
#include "agent/net/tls_credentials.h"

namespace lunar::test {

// The moment at which the usual certificates are valid. The real one, because OpenSSL stamps sessions with it.
[[nodiscard]] std::chrono::sys_seconds now();

struct CertificatePlan {
  std::string common_name;
  std::string alternative_names;  // as in "DNS:a.example.com, IP:198.18.0.1"; empty: none
  std::chrono::seconds begins = -std::chrono::hours(24);
  std::chrono::seconds ends = std::chrono::hours(24);  // both relative to now()
  bool authority = false;
};

struct Issued {
  OpensslHandle<x509_st> certificate;
  OpensslHandle<evp_pkey_st> key;

  [[nodiscard]] std::string der() const;
  [[nodiscard]] std::string certificate_pem() const;
  [[nodiscard]] std::string key_pem(const char* passphrase = nullptr) const;
  [[nodiscard]] std::shared_ptr<const TlsCredentials> credentials(const std::vector<std::string>& chain = {}) const;
};

// P-256. Null: signs itself.
[[nodiscard]] Issued issue(const CertificatePlan& plan, const Issued* issuer);

}  // namespace lunar::test
