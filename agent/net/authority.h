// The local certificate authority: it makes certificates for the servers whose TLS the gateway opens.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/leaf_names.h"
#include "agent/net/name_constraints.h"
#include "agent/net/secret.h"
#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

struct RootSettings {
  std::string hostname;  // of this machine, for people who read the list of their roots; may be empty
  PermittedNames permitted;
  std::chrono::seconds lifetime = std::chrono::days(3652);  // a day at least, 30 years at most
};

// An authority as PEM texts; they are borrowed.
struct AuthorityText {
  std::string_view key;           // may hold several: the one of the first certificate counts
  std::string_view certificates;  // the one that signs, then those above it up to a root
  std::string_view previous;      // roots of earlier authorities
};

inline constexpr std::chrono::seconds max_leaf_lifetime = std::chrono::days(7);

// From the gateway, which strangers may have taken over: all of it is checked, and name constraints are what confines
// them. It has no certificate of theirs, so that nobody parses one beside the authority's key.
struct LeafRequest {
  std::string public_key;  // DER, see leaf_public_key()
  std::string host;        // host name or address literal that must be among the names; empty: none must
  LeafNames names;         // of the provider's certificate, see leaf_names()
  std::chrono::seconds lifetime = max_leaf_lifetime;  // at most this
};

struct MintedLeaf {
  std::string certificate;         // DER
  std::vector<std::string> chain;  // DER, what a server sends behind it: without the root
  Validity validity;
};

struct AuthorityDescription {
  std::string subject;
  std::string issuer;       // the same for a root
  std::string fingerprint;  // SHA-256
  Validity validity;
  std::vector<std::string> permitted;  // empty: any name
};

// A key, the certificates above it, and the roots before it. The key leaves it as key_pem() alone.
class LocalAuthority {
 public:
  // A root of its own: P-256, path length 0.
  [[nodiscard]] static Result<LocalAuthority> create(const RootSettings& settings, WallTime now);
  // That, or an intermediate of the operator's own CA: EC P-256 or P-384, or RSA of 2048 bits or more.
  [[nodiscard]] static Result<LocalAuthority> load(const AuthorityText& text, WallTime now);
  // A new root whose trust bundle has the old roots too, so that leaves minted before stay valid until they expire.
  [[nodiscard]] Result<LocalAuthority> rotate(const RootSettings& settings, WallTime now) const;

  // An error means that the connection is passed through unopened. From any thread.
  [[nodiscard]] Result<MintedLeaf> mint(const LeafRequest& request, WallTime now) const;

  [[nodiscard]] const AuthorityDescription& describe() const { return description_; }
  [[nodiscard]] WallTime end() const { return end_; }  // from then on nothing is minted
  // What clients must trust, as one PEM text each and the newest first: this root and earlier ones that are valid.
  [[nodiscard]] std::vector<std::string> root_pems(WallTime now) const;
  [[nodiscard]] std::string trust_bundle(WallTime now) const;  // the same as one text

  // load() of these gives the same authority.
  [[nodiscard]] Result<Secret> key_pem() const;
  [[nodiscard]] std::string certificates_pem() const;
  [[nodiscard]] std::string previous_pem() const;

 private:
  LocalAuthority() = default;
  [[nodiscard]] static Result<LocalAuthority> assemble(KeyPtr key, const std::vector<CertificatePtr>& given,
                                                       std::vector<CertificatePtr> previous, WallTime now);
  [[nodiscard]] Result<CertificatePtr> sign_leaf(EVP_PKEY& public_key, const LeafNames& names, Validity validity) const;

  KeyPtr key_;
  std::vector<CertificatePtr> chain_;            // the one that signs, to the root
  std::vector<NameConstraintsPtr> constraints_;  // of the whole chain
  std::vector<std::string> sent_;                // DER of the chain without the root
  std::vector<CertificatePtr> previous_;         // newest first
  WallTime end_;                                 // of whatever in the chain ends first
  AuthorityDescription description_;
};

}  // namespace lunar
