#include "flowengine/spec/host_pattern.h"

#include <arpa/inet.h>

#include <array>

#include "flowengine/uri.h"

namespace lunar {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool ends_with_folded(std::string_view host, std::string_view lower_case_end) {
  if (host.size() < lower_case_end.size()) return false;
  host.remove_prefix(host.size() - lower_case_end.size());
  for (size_t i = 0; i < host.size(); ++i)
    if (lower(host[i]) != lower_case_end[i]) return false;
  return true;
}

// The one spelling of an IPv6 address, without brackets; nothing for what is none.
std::optional<std::string> usual_spelling(std::string_view address) {
  in6_addr bytes{};
  if (address.contains('\0') || inet_pton(AF_INET6, std::string(address).c_str(), &bytes) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(AF_INET6, &bytes, out.data(), out.size());
  return out.data();
}

}  // namespace

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern out;
  out.wildcard_ = text.starts_with("*.");
  if (out.wildcard_) text.remove_prefix(2);
  // With two colons it is no port that follows, so brackets would only repeat that it is an address.
  const bool bare = !text.starts_with('[') && text.find(':') != text.rfind(':');
  auto authority = parse_authority(bare ? "[" + std::string(text) + "]" : std::string(text));
  if (!authority || authority->port || (authority->ipv6 && out.wildcard_)) return std::nullopt;
  auto host = authority->ipv6 ? usual_spelling(authority->host) : std::optional(authority->host);
  if (!host) return std::nullopt;
  out.domain_ = *std::move(host);
  return out;
}

bool HostPattern::matches(std::string_view host) const {
  if (domain_.contains(':')) return usual_spelling(host) == domain_;
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!ends_with_folded(host, domain_)) return false;
  size_t before = host.size() - domain_.size();
  return wildcard_ ? before > 1 && host[before - 1] == '.' : before == 0;
}

}  // namespace lunar
