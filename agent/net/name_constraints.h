// Which names an authority may certify at all (RFC 5280 §4.2.1.10), so that clients that trust it risk no more.
#pragma once

#include <string>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/net/leaf_names.h"
#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

// Both empty: any name. Otherwise a kind of name that has no entry is forbidden altogether.
struct PermittedNames {
  std::vector<std::string> dns;  // a name and all below it: example.com
  std::vector<Prefix> addresses;

  [[nodiscard]] bool any() const { return dns.empty() && addresses.empty(); }
};

[[nodiscard]] Result<NameConstraintsPtr> name_constraints(const PermittedNames& permitted);

// Those of a certificate; null where it has none. An extension that cannot be read is an error.
[[nodiscard]] Result<NameConstraintsPtr> name_constraints_of(const X509& certificate);

// For people: `example.com`, `198.18.0.0/15`, and `not ` in front of what is excluded. Kinds of names that no leaf has
// are left out.
[[nodiscard]] std::vector<std::string> texts_of(const NAME_CONSTRAINTS& constraints);

// Whether a chain with these constraints above `leaf` verifies; `names` are those of the leaf, the error says which.
[[nodiscard]] Result<> check_permitted(NAME_CONSTRAINTS& constraints, X509& leaf, const LeafNames& names);

}  // namespace lunar
