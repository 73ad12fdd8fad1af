// A provider's certificate to its names, and from them to the certificate that clients see in its place.
#include <openssl/err.h>

#include <algorithm>
#include <optional>

#include "agent/net/authority.h"
#include "agent/net/leaf_key.h"
#include "agent/net/leaf_names.h"
#include "tests/fuzz/invariant.h"
#include "tests/net/leaf_verdict.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15}};

LocalAuthority authority(const PermittedNames& permitted) {
  auto out = LocalAuthority::create({.permitted = permitted}, now);
  require(out.has_value(), "an authority can be made");
  return std::move(*out);
}

bool one_line(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c >= ' ' && c < 0x7f; });
}

void check_names(X509& leaf) {
  const std::vector<std::string> names = test::names_in(leaf);
  size_t bytes = 0;
  for (std::string_view name : names) {
    require(name.starts_with("DNS:") || name.starts_with("IP:"), "only names that a server may have are mirrored");
    const bool dns = name.starts_with("DNS:");
    name.remove_prefix(name.find(':') + 1);
    bytes += dns ? name.size() : 4;
    if (name.starts_with("*.")) name.remove_prefix(2);
    require(dns ? is_host_name(name) : IpAddress::parse(name).has_value(), "a name is a name");
  }
  require(!names.empty() && names.size() <= max_leaf_names && bytes <= max_leaf_name_bytes, "names are few");
}

// Whether there is one.
bool check_leaf(const LocalAuthority& by, const LeafRequest& request) {
  const auto minted = by.mint(request, now);
  require(ERR_peek_error() == 0, "nothing stays in OpenSSL's queue");
  require(minted || one_line(minted.error().text), "a refusal can stand in a log line");
  if (!minted) return false;
  require(test::verdict(*minted, by.trust_bundle(now), request.host, now) == X509_V_OK, "clients take what was minted");
  require(minted->validity.not_after <= now + max_leaf_lifetime, "a leaf lives for a week at most");
  const auto leaf = certificate_from_der(minted->certificate);
  require(leaf.has_value() && X509_check_ca(leaf->get()) == 0, "a leaf is no CA");
  check_names(**leaf);
  return true;
}

}  // namespace

// The input is a line, which is `v` or `u` for verified or not and then the host asked for, and a certificate as DER.
// The certificate stands for a public key too.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const LocalAuthority open = authority({});
  static const LocalAuthority confined =
      authority({.dns = {"example.com"}, .addresses = {*Prefix::parse("198.18.0.0/15")}});
  static const std::string public_key = LeafKey::generate()->public_key();

  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), text.size());
  if (line == 0) return 0;
  const Exact der(text.substr(std::min(line + 1, text.size())));
  const bool verified = text[0] == 'v';
  const std::string host(text.substr(1, line - 1));
  const auto names = leaf_names(der.view(), host, verified);
  require(ERR_peek_error() == 0, "nothing stays in OpenSSL's queue");
  require(names || one_line(names.error().text), "a refusal can stand in a log line");
  if (names) {
    const LeafRequest request{.public_key = public_key, .host = verified ? host : "", .names = *names};
    require(check_leaf(open, request), "what was found is certified");
    check_leaf(confined, request);
  }
  const auto key = leaf_public_key(der.view());
  require(!key || public_key_der_of(**key) == der.view(), "a key is what it was read from");
  require(ERR_peek_error() == 0, "nothing stays in OpenSSL's queue");
  return 0;
}
