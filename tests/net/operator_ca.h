// A certificate authority such as operators have, with every mistake that can be made in it.
#pragma once

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "agent/net/authority_chain.h"
#include "agent/net/certificate_draft.h"
#include "agent/net/x509_values.h"

namespace lunar::test {

inline constexpr WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15} + std::chrono::hours(12)};

struct OperatorKind {
  const char* constraints = "critical,CA:TRUE";
  const char* usage = "critical,keyCertSign,cRLSign";
  const char* extended_usage = nullptr;
  const char* permitted = nullptr;  // name constraints
  Validity validity{noon - std::chrono::days(365), noon + std::chrono::days(365)};
};

struct OperatorCertificate {
  KeyPtr key;
  CertificatePtr certificate;

  [[nodiscard]] std::string pem() const { return pem_of(*certificate); }
  [[nodiscard]] std::string key_pem() const { return std::string(pem_of_private_key(*key)->view()); }
};

inline OperatorCertificate issue(const char* name, const OperatorCertificate* issuer, KeyPtr key,
                                 const OperatorKind& kind = {}) {
  CertificateDraft draft(*key, issuer == nullptr ? nullptr : issuer->certificate.get(), kind.validity);
  draft.add_to_subject(NID_commonName, name);
  if (kind.constraints != nullptr) draft.add_extension(NID_basic_constraints, kind.constraints);
  if (kind.usage != nullptr) draft.add_extension(NID_key_usage, kind.usage);
  if (kind.extended_usage != nullptr) draft.add_extension(NID_ext_key_usage, kind.extended_usage);
  if (kind.permitted != nullptr) draft.add_extension(NID_name_constraints, kind.permitted);
  draft.add_extension(NID_subject_key_identifier, "hash");
  if (issuer != nullptr) draft.add_extension(NID_authority_key_identifier, "keyid");
  auto certificate = std::move(draft).sign(issuer == nullptr ? *key : *issuer->key);
  REQUIRE(certificate);
  return {.key = std::move(key), .certificate = std::move(*certificate)};
}

inline KeyPtr p256() { return KeyPtr(EVP_EC_gen("P-256")); }
inline KeyPtr p384() { return KeyPtr(EVP_EC_gen("P-384")); }

}  // namespace lunar::test
