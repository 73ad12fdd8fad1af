#include "tests/net/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace lunar::test {
namespace {

void must(bool done) {
  if (!done) throw std::runtime_error("a certificate for a test cannot be made");
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  must(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

template <class Write>
std::string text_of(Write write) {
  OpensslHandle<bio_st> bio(BIO_new(BIO_s_mem()));
  must(write(bio.get()) == 1);
  char* bytes = nullptr;
  long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

}  // namespace

std::chrono::sys_seconds now() {
  static const auto begin = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return begin;
}

std::string Issued::der() const {
  unsigned char* bytes = nullptr;
  int size = i2d_X509(certificate.get(), &bytes);
  must(size > 0);
  std::string out(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

std::string Issued::certificate_pem() const {
  return text_of([this](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

std::string Issued::key_pem(const char* passphrase) const {
  return text_of([this, passphrase](BIO* bio) {
    const EVP_CIPHER* cipher = passphrase == nullptr ? nullptr : EVP_aes_256_cbc();
    int size = passphrase == nullptr ? 0 : static_cast<int>(strlen(passphrase));
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), cipher, passphrase, size, nullptr, nullptr);
  });
}

std::shared_ptr<const TlsCredentials> Issued::credentials(const std::vector<std::string>& chain) const {
  auto out = TlsCredentials::from_der(der(), chain, *key);
  must(out.has_value());
  return *out;
}

Issued issue(const CertificatePlan& plan, const Issued* issuer) {
  static std::atomic<long> serial{1};
  Issued out;
  out.key.reset(EVP_EC_gen("P-256"));
  out.certificate.reset(X509_new());
  X509* made = out.certificate.get();
  X509* above = issuer == nullptr ? made : issuer->certificate.get();
  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
  ASN1_TIME_set(X509_getm_notBefore(made), (now() + plan.begins).time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(made), (now() + plan.ends).time_since_epoch().count());
  const auto* name = reinterpret_cast<const unsigned char*>(plan.common_name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  X509_set_issuer_name(made, X509_get_subject_name(above));
  X509_set_pubkey(made, out.key.get());
  extend(made, above, NID_basic_constraints, plan.authority ? "critical,CA:TRUE" : "CA:FALSE");
  extend(made, above, NID_subject_key_identifier, "hash");
  if (plan.authority) extend(made, above, NID_key_usage, "critical,keyCertSign,cRLSign");
  if (!plan.alternative_names.empty()) extend(made, above, NID_subject_alt_name, plan.alternative_names);
  EVP_PKEY* signer = issuer == nullptr ? out.key.get() : issuer->key.get();
  must(X509_sign(made, signer, EVP_sha256()) > 0);
  return out;
}

}  // namespace lunar::test
