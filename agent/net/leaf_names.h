// The names that a minted certificate has: those of the provider's certificate, which is hostile input. The gateway
// finds them, because it may be taken over without harm; whoever has the authority's key checks what was found.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

inline constexpr size_t max_leaf_names = 100;
inline constexpr size_t max_leaf_name_bytes = 16 * 1024;  // of all names together
inline constexpr size_t max_provider_certificate_bytes = 64 * 1024;

struct LeafNames {
  std::vector<std::string> dns;  // lower case; a wildcard is `*` for the whole leftmost label
  std::vector<IpAddress> addresses;
  std::string common_name;

  // RFC 6125 §6.4.3. `host` is a host name or an address literal.
  [[nodiscard]] bool cover(std::string_view host) const;
};

// Lower-case labels of letters, digits, `-` and `_`, the last one with a letter; A-labels are nothing else (RFC 5890).
[[nodiscard]] bool is_host_name(std::string_view text);

// The DNS names and addresses of the provider's certificate in its order, as many as the limits allow; all other kinds
// of names and what is no name are left out. Without the extension its common name, if that is a host name. `host` is
// what the client asked for, or empty: if the certificate was verified for it, it is among the names whatever the
// limits; it is an error if the certificate does not have it.
[[nodiscard]] Result<LeafNames> leaf_names(X509& provider, std::string_view host, bool verified);
// The same for a certificate as DER.
[[nodiscard]] Result<LeafNames> leaf_names(std::string_view der, std::string_view host, bool verified);

// Whether leaf_names() may have given these, for somebody who does not trust the process that called it. They cover
// `host`, which may be empty.
[[nodiscard]] Result<> check_leaf_names(const LeafNames& names, std::string_view host);

// As the value of the extension subjectAltName: DNS names, then addresses.
[[nodiscard]] GeneralNamesPtr general_names(const LeafNames& names);

}  // namespace lunar
