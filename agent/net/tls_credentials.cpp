#include "agent/net/tls_credentials.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <utility>

#include "agent/net/openssl_errors.h"
#include "agent/net/tls_files.h"

namespace lunar {
namespace {

Result<OpensslHandle<x509_st>> parse(std::string_view der) {
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const auto* at = begin;
  OpensslHandle<x509_st> out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!out) return fail("a certificate is malformed: " + take_openssl_reason());
  if (at != begin + der.size()) return fail("a certificate is followed by other bytes");
  return out;
}

bool append(stack_st_X509* chain, X509* certificate) {
  return X509_add_cert(chain, certificate, X509_ADD_FLAG_UP_REF) == 1;
}

}  // namespace

Result<std::shared_ptr<const TlsCredentials>> TlsCredentials::from_der(std::string_view certificate,
                                                                       std::span<const std::string> chain,
                                                                       evp_pkey_st& key) {
  std::shared_ptr<TlsCredentials> out(new TlsCredentials);
  Result<OpensslHandle<x509_st>> own = parse(certificate);
  if (!own) return std::unexpected(std::move(own.error()));
  out->certificate_ = std::move(*own);
  out->chain_.reset(sk_X509_new_null());
  for (const std::string& one : chain) {
    Result<OpensslHandle<x509_st>> issuer = parse(one);
    if (!issuer) return std::unexpected(std::move(issuer.error()));
    if (!append(out->chain_.get(), issuer->get())) return fail("there is no memory for a certificate");
  }
  EVP_PKEY_up_ref(&key);
  out->key_.reset(&key);
  if (Result<> done = out->complete(); !done) return std::unexpected(std::move(done.error()));
  return out;
}

Result<std::shared_ptr<const TlsCredentials>> TlsCredentials::from_files(const std::string& path) {
  std::shared_ptr<TlsCredentials> out(new TlsCredentials);
  auto certificates = read_certificates(path);
  if (!certificates) return std::unexpected(std::move(certificates.error()));
  constexpr std::string_view separate = ".crt";
  std::string key_path = path;
  if (path.ends_with(separate)) key_path.replace(path.size() - separate.size(), separate.size(), ".key");
  auto key = read_private_key(key_path);
  if (!key) return std::unexpected(std::move(key.error()));
  out->key_ = std::move(*key);
  out->chain_.reset(sk_X509_new_null());
  for (auto& certificate : *certificates) {
    if (!out->certificate_)
      out->certificate_ = std::move(certificate);
    else if (!append(out->chain_.get(), certificate.get()))
      return fail("there is no memory for a certificate");
  }
  if (Result<> done = out->complete(); !done) return fail(key_path + ": " + done.error().text);
  return out;
}

Result<> TlsCredentials::complete() {
  forget_openssl_errors();
  if (X509_check_private_key(certificate_.get(), key_.get()) != 1) {
    forget_openssl_errors();
    return fail("the private key is not that of the certificate; use the key that the certificate was requested with");
  }
  // Parses the extensions now, because later the certificate is seen by several threads.
  X509_check_purpose(certificate_.get(), -1, 0);
  X509_digest(certificate_.get(), EVP_sha256(), fingerprint_.data(), nullptr);
  forget_openssl_errors();
  return {};
}

}  // namespace lunar
