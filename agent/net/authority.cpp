#include "agent/net/authority.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "agent/net/authority_chain.h"
#include "agent/net/certificate_draft.h"
#include "agent/net/leaf_key.h"
#include "flowengine/digest.h"

namespace lunar {
namespace {

constexpr std::chrono::hours backdating{1};  // for clients whose clock is behind
constexpr std::chrono::days shortest_root{1};
constexpr std::chrono::days longest_root{10958};
constexpr size_t max_previous = 64;
constexpr size_t hostname_in_subject = 40;  // with what is around it below the 64 characters of a common name

std::string root_name(std::string_view hostname, const EVP_PKEY& key) {
  std::string out = "Lunar local CA ";
  for (const char c : hostname.substr(0, hostname_in_subject)) out += c > ' ' && c < 0x7f ? c : '-';
  if (!hostname.empty()) out += ' ';
  return out + sha256_hex(public_key_der_of(key)).substr(0, 8);  // two roots of one machine have two names
}

CertificatePtr shared(const CertificatePtr& certificate) {
  X509_up_ref(certificate.get());
  return CertificatePtr(certificate.get());
}

bool valid_at(const X509& certificate, WallTime now) {
  const auto validity = validity_of(certificate);
  return validity && now < validity->not_after;  // one that begins later may be trusted now
}

void add_if_new(std::vector<CertificatePtr>& to, const CertificatePtr& certificate) {
  const auto same = [&](const CertificatePtr& other) { return X509_cmp(other.get(), certificate.get()) == 0; };
  if (std::ranges::none_of(to, same)) to.push_back(shared(certificate));
}

std::string joined_pem(const std::vector<CertificatePtr>& certificates) {
  std::string out;
  for (const CertificatePtr& certificate : certificates) out += pem_of(*certificate);
  return out;
}

}  // namespace

Result<LocalAuthority> LocalAuthority::create(const RootSettings& settings, WallTime now) {
  const CleanErrors clean;
  if (settings.lifetime < shortest_root || settings.lifetime > longest_root)
    return fail("a root is valid for a day at least and 30 years at most");
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return openssl_fault("cannot make a P-256 key");
  CertificateDraft draft(*key, nullptr, {now - backdating, now + settings.lifetime});
  draft.add_to_subject(NID_organizationName, "Lunar");
  draft.add_to_subject(NID_commonName, root_name(settings.hostname, *key));
  draft.add_extension(NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  draft.add_extension(NID_key_usage, "critical,keyCertSign,cRLSign");
  draft.add_extension(NID_subject_key_identifier, "hash");
  if (!settings.permitted.any()) {
    auto constraints = name_constraints(settings.permitted);
    if (!constraints) return std::unexpected(constraints.error());
    draft.add_extension(NID_name_constraints, constraints->get(), true);
  }
  auto root = std::move(draft).sign(*key);
  if (!root) return std::unexpected(root.error());
  std::vector<CertificatePtr> chain;
  chain.push_back(std::move(*root));
  return assemble(std::move(key), chain, {}, now);
}

Result<LocalAuthority> LocalAuthority::load(const AuthorityText& text, WallTime now) {
  auto certificates = certificates_from_pem(text.certificates, max_chain_certificates);
  if (!certificates) return fail("the authority's certificates: " + certificates.error().text);
  if (certificates->empty())
    return fail("there is no certificate in PEM: give the one of the authority's key, then those above it");
  auto key = private_key_of(text.key, *certificates->front());
  if (!key) return std::unexpected(key.error());
  auto previous = certificates_from_pem(text.previous, max_previous);
  if (!previous) return fail("the certificates of earlier roots: " + previous.error().text);
  return assemble(std::move(*key), *certificates, std::move(*previous), now);
}

Result<LocalAuthority> LocalAuthority::rotate(const RootSettings& settings, WallTime now) const {
  auto fresh = create(settings, now);
  if (!fresh) return fresh;
  add_if_new(fresh->previous_, chain_.back());
  for (const CertificatePtr& root : previous_)
    if (valid_at(*root, now) && fresh->previous_.size() < max_previous) add_if_new(fresh->previous_, root);
  return fresh;
}

Result<LocalAuthority> LocalAuthority::assemble(KeyPtr key, const std::vector<CertificatePtr>& given,
                                                std::vector<CertificatePtr> previous, WallTime now) {
  LocalAuthority out;
  auto chain = chain_to_root(given, *key, now);
  if (!chain) return std::unexpected(chain.error());
  out.key_ = std::move(key);
  out.chain_ = std::move(*chain);
  out.previous_ = std::move(previous);
  const X509& signer = *out.chain_.front();
  out.description_ = {.subject = text_of(*X509_get_subject_name(&signer)),
                      .issuer = text_of(*X509_get_issuer_name(&signer)),
                      .fingerprint = fingerprint_of(signer)};
  out.end_ = WallTime::max();
  for (const CertificatePtr& certificate : out.chain_) {
    auto constraints = name_constraints_of(*certificate);
    if (!constraints) return std::unexpected(constraints.error());
    if (*constraints != nullptr) out.constraints_.push_back(std::move(*constraints));
    const auto validity = validity_of(*certificate);
    if (!validity) return std::unexpected(validity.error());
    out.end_ = std::min(out.end_, validity->not_after);
    if (certificate == out.chain_.front()) out.description_.validity = *validity;
    if (certificate != out.chain_.back()) out.sent_.push_back(der_of(*certificate));
  }
  for (const NameConstraintsPtr& constraints : out.constraints_)
    for (std::string& text : texts_of(*constraints)) out.description_.permitted.push_back(std::move(text));
  return out;
}

Result<MintedLeaf> LocalAuthority::mint(const LeafRequest& request, WallTime now) const {
  const CleanErrors clean;
  if (request.lifetime < std::chrono::minutes(1) || request.lifetime > max_leaf_lifetime)
    return fail("a leaf certificate lives for a minute at least and 7 days at most");
  if (now >= end_) return fail("the local authority expired on " + date_text(end_) + ": lunarctl ca rotate");
  auto key = leaf_public_key(request.public_key);
  if (!key) return std::unexpected(key.error());
  if (auto good = check_leaf_names(request.names, request.host); !good) return std::unexpected(good.error());

  const WallTime second = std::chrono::floor<std::chrono::seconds>(now);
  const Validity validity{second - backdating, std::min<WallTime>(second + request.lifetime, end_)};
  auto leaf = sign_leaf(**key, request.names, validity);
  if (!leaf) return std::unexpected(leaf.error());
  for (const NameConstraintsPtr& constraints : constraints_)
    if (auto permitted = check_permitted(*constraints, **leaf, request.names); !permitted)
      return std::unexpected(permitted.error());
  return MintedLeaf{.certificate = der_of(**leaf), .chain = sent_, .validity = validity};
}

Result<CertificatePtr> LocalAuthority::sign_leaf(EVP_PKEY& public_key, const LeafNames& names,
                                                 Validity validity) const {
  CertificateDraft draft(public_key, chain_.front().get(), validity);
  draft.add_to_subject(NID_commonName, names.common_name);
  draft.add_extension(NID_basic_constraints, "critical,CA:FALSE");
  draft.add_extension(NID_key_usage, "critical,digitalSignature");
  draft.add_extension(NID_ext_key_usage, "serverAuth");
  draft.add_extension(NID_subject_alt_name, general_names(names).get(), false);
  draft.add_extension(NID_subject_key_identifier, "hash");
  draft.add_extension(NID_authority_key_identifier, "keyid");
  return std::move(draft).sign(*key_);
}

std::vector<std::string> LocalAuthority::root_pems(WallTime now) const {
  std::vector<CertificatePtr> roots;
  add_if_new(roots, chain_.back());
  for (const CertificatePtr& root : previous_)
    if (valid_at(*root, now)) add_if_new(roots, root);
  std::vector<std::string> out;
  for (const CertificatePtr& root : roots) out.push_back(pem_of(*root));
  return out;
}

std::string LocalAuthority::trust_bundle(WallTime now) const {
  std::string out;
  for (const std::string& root : root_pems(now)) out += root;
  return out;
}

Result<Secret> LocalAuthority::key_pem() const { return pem_of_private_key(*key_); }

std::string LocalAuthority::certificates_pem() const { return joined_pem(chain_); }

std::string LocalAuthority::previous_pem() const { return joined_pem(previous_); }

}  // namespace lunar
