// A minted certificate as a TLS client sees it.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/net/authority.h"

namespace lunar::test {

using TestStorePtr = std::unique_ptr<X509_STORE, decltype([](X509_STORE* store) { X509_STORE_free(store); })>;
using TestVerifierPtr =
    std::unique_ptr<X509_STORE_CTX, decltype([](X509_STORE_CTX* one) { X509_STORE_CTX_free(one); })>;
using TestStackPtr = std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * one) { sk_X509_free(one); })>;

// X509_V_OK, or OpenSSL's reason against it. Without a `host` no name is checked. -1: not even a certificate.
inline int verdict(const MintedLeaf& minted, std::string_view roots_pem, const std::string& host, WallTime now) {
  const auto leaf = certificate_from_der(minted.certificate);
  const auto roots = certificates_from_pem(roots_pem, 100);
  if (!leaf || !roots) return -1;
  const TestStorePtr store(X509_STORE_new());
  for (const CertificatePtr& root : *roots) X509_STORE_add_cert(store.get(), root.get());
  const TestStackPtr others(sk_X509_new_null());
  std::vector<CertificatePtr> kept;
  for (const std::string& der : minted.chain) {
    auto certificate = certificate_from_der(der);
    if (!certificate) return -1;
    sk_X509_push(others.get(), certificate->get());
    kept.push_back(std::move(*certificate));
  }
  const TestVerifierPtr verifier(X509_STORE_CTX_new());
  X509_STORE_CTX_init(verifier.get(), store.get(), leaf->get(), others.get());
  X509_STORE_CTX_set_purpose(verifier.get(), X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(verifier.get());
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_auth_level(rules, 2);
  X509_VERIFY_PARAM_set_time(rules, std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  if (const auto address = IpAddress::parse(host)) {
    const size_t skipped = address->is_v4() ? 12 : 0;
    X509_VERIFY_PARAM_set1_ip(rules, address->bytes.data() + skipped, address->bytes.size() - skipped);
  } else if (!host.empty()) {
    X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size());
  }
  return X509_verify_cert(verifier.get()) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(verifier.get());
}

// `DNS:a.example.com` and `IP:198.18.0.1` in the certificate's order; any other kind of name is `other`.
inline std::vector<std::string> names_in(X509& certificate) {
  std::vector<std::string> out;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    const auto* const string = static_cast<const ASN1_STRING*>(value);
    std::string bytes = "other";
    if (type == GEN_DNS || type == GEN_IPADD)
      bytes.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                   static_cast<size_t>(ASN1_STRING_length(string)));
    if (type == GEN_DNS) bytes.insert(0, "DNS:");
    if (type == GEN_IPADD) {
      IpAddress address = IpAddress::v4(0);
      bytes.copy(reinterpret_cast<char*>(address.bytes.data()) + 16 - bytes.size(), bytes.size());
      bytes = "IP:" + address.text();
    }
    out.push_back(bytes);
  }
  return out;
}

}  // namespace lunar::test
