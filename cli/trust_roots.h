// What clients must trust, as certificates in files: the roots of the local authority, those of the machine, and both.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/authority.h"
#include "cli/trust_tree.h"
#include "flowengine/result.h"

namespace lunar::cli {

// What the machine's programs read, and what update-ca-certificates makes.
inline constexpr const char* system_bundle = "/etc/ssl/certs/ca-certificates.crt";

struct Root {
  std::string pem;
  std::string fingerprint;  // SHA-256: AB:CD:…

  [[nodiscard]] std::string name() const;  // in every store
};

// The one that signs first, then earlier ones that are still valid.
[[nodiscard]] Result<std::vector<Root>> roots_of(const LocalAuthority& authority, WallTime now);

// `lunar-` and the first 16 digits of its fingerprint. That a certificate in a store has this name, and is the one that
// the name says, is how `ca uninstall` knows what `ca install` added.
[[nodiscard]] std::string store_name(std::string_view fingerprint);

// Of every certificate in a text of PEM, or of the one in DER. What is damaged or no certificate is passed over.
[[nodiscard]] std::set<std::string> fingerprints_in(std::string_view text);

[[nodiscard]] std::string bundle_of(const std::vector<Root>& roots);
// The machine's roots as they are, and behind them those of ours that are not among them. Never ours alone.
[[nodiscard]] Result<std::string> combined_bundle(const FileTree& tree, const std::vector<Root>& ours);

}  // namespace lunar::cli
