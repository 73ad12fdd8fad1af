#include "agent/net/certificate_draft.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <new>
#include <utility>

namespace lunar {
namespace {

bool set_random_serial(X509& certificate) {
  // RFC 5280 §4.1.2.2 allows 20 octets; with 159 bits the sign bit is clear.
  const std::unique_ptr<BIGNUM, decltype([](BIGNUM* number) { BN_free(number); })> number(BN_new());
  return number != nullptr && BN_rand(number.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_time(ASN1_TIME* field, WallTime time) {
  return ASN1_TIME_set(field, std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count()) != nullptr;
}

// As strong as the key.
const EVP_MD* digest_for(const EVP_PKEY& key) {
  return EVP_PKEY_is_a(&key, "EC") == 1 && EVP_PKEY_get_bits(&key) > 256 ? EVP_sha384() : EVP_sha256();
}

}  // namespace

CertificateDraft::CertificateDraft(EVP_PKEY& public_key, X509* issuer, Validity validity)
    : certificate_(X509_new()), issuer_(issuer == nullptr ? certificate_.get() : issuer) {
  if (certificate_ == nullptr) throw std::bad_alloc();
  good_ = X509_set_version(certificate_.get(), X509_VERSION_3) == 1 && set_random_serial(*certificate_) &&
          set_time(X509_getm_notBefore(certificate_.get()), validity.not_before) &&
          set_time(X509_getm_notAfter(certificate_.get()), validity.not_after) &&
          X509_set_pubkey(certificate_.get(), &public_key) == 1;
}

void CertificateDraft::add_to_subject(int nid, std::string_view text) {
  good_ = good_ && X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate_.get()), nid, MBSTRING_UTF8,
                                              reinterpret_cast<const unsigned char*>(text.data()),
                                              static_cast<int>(text.size()), -1, 0) == 1;
}

void CertificateDraft::add_extension(int nid, const char* constant) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer_, certificate_.get(), nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, constant);
  good_ = good_ && extension != nullptr && X509_add_ext(certificate_.get(), extension, -1) == 1;
  X509_EXTENSION_free(extension);
}

void CertificateDraft::add_extension(int nid, void* value, bool critical) {
  good_ =
      good_ && X509_add1_ext_i2d(certificate_.get(), nid, value, static_cast<int>(critical), X509V3_ADD_DEFAULT) == 1;
}

Result<CertificatePtr> CertificateDraft::sign(EVP_PKEY& issuer_key) && {
  good_ = good_ && X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer_)) == 1 &&
          X509_sign(certificate_.get(), &issuer_key, digest_for(issuer_key)) > 0;
  if (!good_) return openssl_fault("cannot make a certificate");
  return std::move(certificate_);
}

}  // namespace lunar
