#include "flowengine/spec/host_pattern.h"

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

}  // namespace

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern out;
  out.wildcard_ = text.starts_with("*.");
  if (out.wildcard_) text.remove_prefix(2);
  auto authority = parse_authority(text);
  if (!authority || authority->port || (authority->ipv6 && out.wildcard_)) return std::nullopt;
  out.domain_ = authority->host;
  return out;
}

bool HostPattern::matches(std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!ends_with_folded(host, domain_)) return false;
  size_t before = host.size() - domain_.size();
  return wildcard_ ? before > 1 && host[before - 1] == '.' : before == 0;
}

}  // namespace lunar
