#include "agent/net/authority_chain.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "agent/net/certificate_draft.h"
#include "agent/net/leaf_key.h"

namespace lunar {
namespace {

constexpr size_t most_keys = 64;
constexpr int least_rsa_bits = 2048;
// 112 bits, which is what Debian's OpenSSL asks for in connections: no SHA-1, no RSA below 2048.
constexpr int security_level = 2;

using StorePtr = std::unique_ptr<X509_STORE, decltype([](X509_STORE* store) { X509_STORE_free(store); })>;
using VerifierPtr =
    std::unique_ptr<X509_STORE_CTX, decltype([](X509_STORE_CTX* verifier) { X509_STORE_CTX_free(verifier); })>;
using BorrowedCertificates =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * certificates) { sk_X509_free(certificates); })>;

std::string name_of(const X509& certificate) { return "\"" + text_of(*X509_get_subject_name(&certificate)) + "\""; }

Result<> check_key_kind(const EVP_PKEY& key) {
  std::array<char, 64> curve{};
  if (EVP_PKEY_is_a(&key, "RSA") == 1 && EVP_PKEY_get_bits(&key) >= least_rsa_bits) return {};
  if (EVP_PKEY_is_a(&key, "EC") == 1 && EVP_PKEY_get_group_name(&key, curve.data(), curve.size(), nullptr) == 1 &&
      (std::string_view(curve.data()) == "prime256v1" || std::string_view(curve.data()) == "secp384r1"))
    return {};
  return fail("the key of the authority must be EC P-256, EC P-384 or RSA of 2048 bits or more: make such a key");
}

Result<> check_signer(X509& certificate, WallTime now) {
  const uint32_t flags = X509_get_extension_flags(&certificate);
  if ((flags & EXFLAG_INVALID) != 0) return fail("the extensions of " + name_of(certificate) + " are malformed");
  if ((flags & EXFLAG_CA) == 0)
    return fail(name_of(certificate) + " is no CA: give the certificate of a CA (basicConstraints CA:TRUE) first");
  if ((X509_get_key_usage(&certificate) & KU_KEY_CERT_SIGN) == 0)
    return fail(name_of(certificate) + " may not sign certificates: it needs the key usage keyCertSign");
  const auto validity = validity_of(certificate);
  if (!validity) return std::unexpected(validity.error());
  if (now < validity->not_before)
    return fail(name_of(certificate) + " is valid from " + date_text(validity->not_before) + " on: check the clock");
  if (now >= validity->not_after)
    return fail(name_of(certificate) + " expired on " + date_text(validity->not_after) +
                ": rotate it, or give a new certificate");
  return {};
}

// A leaf without any name, which no name constraint forbids.
Result<CertificatePtr> nameless_leaf(X509& issuer, EVP_PKEY& key, WallTime now) {
  auto leaf_key = LeafKey::generate();
  if (!leaf_key) return std::unexpected(leaf_key.error());
  CertificateDraft draft(*leaf_key->get(), &issuer, {now - std::chrono::minutes(1), now + std::chrono::minutes(1)});
  draft.add_extension(NID_basic_constraints, "critical,CA:FALSE");
  draft.add_extension(NID_authority_key_identifier, "keyid");
  return std::move(draft).sign(key);
}

std::string way_out(int code) {
  if (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT)
    return "; append the certificates above it, up to the root";
  if (code == X509_V_ERR_CERT_HAS_EXPIRED) return "; give a new one";
  return "";
}

Result<std::vector<CertificatePtr>> chain_above(X509& leaf, const std::vector<CertificatePtr>& given, WallTime now) {
  const StorePtr roots(X509_STORE_new());
  const BorrowedCertificates others(sk_X509_new_null());
  const VerifierPtr verifier(X509_STORE_CTX_new());
  if (roots == nullptr || others == nullptr || verifier == nullptr) throw std::bad_alloc();
  for (const CertificatePtr& certificate : given) {
    const bool root = X509_self_signed(certificate.get(), 1) == 1;
    const bool kept = root ? X509_STORE_add_cert(roots.get(), certificate.get()) == 1
                           : sk_X509_push(others.get(), certificate.get()) > 0;
    if (!kept) throw std::bad_alloc();
  }
  if (X509_STORE_CTX_init(verifier.get(), roots.get(), &leaf, others.get()) != 1) throw std::bad_alloc();
  X509_STORE_CTX_set_purpose(verifier.get(), X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(verifier.get());
  X509_VERIFY_PARAM_set_auth_level(rules, security_level);
  X509_VERIFY_PARAM_set_time(rules, std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  if (X509_verify_cert(verifier.get()) != 1) {
    const int code = X509_STORE_CTX_get_error(verifier.get());
    const X509* const at = X509_STORE_CTX_get_current_cert(verifier.get());
    return fail((at == nullptr || at == &leaf ? name_of(*given.front()) : name_of(*at)) +
                " is of no use to clients: " + X509_verify_cert_error_string(code) + way_out(code));
  }
  std::vector<CertificatePtr> out;
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(verifier.get());
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    X509_up_ref(sk_X509_value(chain, i));
    out.emplace_back(sk_X509_value(chain, i));
  }
  return out;
}

}  // namespace

Result<KeyPtr> private_key_of(std::string_view pem, const X509& certificate) {
  const CleanErrors clean;
  const BioPtr bio = reader_of(pem);
  bool asked = false;
  bool found = false;
  for (size_t count = 0; count < most_keys; ++count) {
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_password, &asked));
    if (key == nullptr) break;
    found = true;
    if (X509_check_private_key(&certificate, key.get()) == 1) return key;
  }
  if (asked) return fail("the key is encrypted, and lunard has nobody to ask: decrypt it (openssl pkey -in KEY)");
  if (!found) return openssl_fault("there is no private key in PEM");
  return fail("the key does not belong to " + name_of(certificate) +
              ": give the certificate of this key first, then those above it");
}

Result<Secret> pem_of_private_key(const EVP_PKEY& key) {
  const CleanErrors clean;
  const BioPtr memory = memory_bio();
  if (PEM_write_bio_PKCS8PrivateKey(memory.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_fault("the private key cannot be written as PEM");
  return Secret({content_of(*memory)});
}

Result<std::vector<CertificatePtr>> chain_to_root(const std::vector<CertificatePtr>& given, EVP_PKEY& key,
                                                  WallTime now) {
  const CleanErrors clean;
  if (auto good = check_key_kind(key); !good) return std::unexpected(good.error());
  if (auto good = check_signer(*given.front(), now); !good) return std::unexpected(good.error());
  // What else clients check, such as path lengths and the chain's own extended key usages, is checked as they do it.
  auto leaf = nameless_leaf(*given.front(), key, now);
  if (!leaf) return std::unexpected(leaf.error());
  return chain_above(**leaf, given, now);
}

}  // namespace lunar
