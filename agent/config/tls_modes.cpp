#include "agent/config/tls_modes.h"

#include <algorithm>
#include <charconv>

namespace lunar {
namespace {

// The kinds of unit that have processes, systemd.unit(5).
constexpr std::string_view unit_types[] = {".service", ".scope", ".slice", ".socket", ".mount", ".swap"};
constexpr size_t longest_unit = 255;

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;
  bool bracketed = false;
};

std::optional<HostAndPort> split(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return HostAndPort{host, std::nullopt, true};
    return rest.starts_with(':') ? std::optional(HostAndPort{host, rest.substr(1), true}) : std::nullopt;
  }
  const size_t colon = text.find(':');
  // With a second one it is IPv6, which has no port without brackets.
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return HostAndPort{text, std::nullopt};
  return HostAndPort{text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<uint16_t> port_of(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// No host name does (its last label would be a top-level domain, RFC 3696 §2), so it is an address with a mistake.
bool ends_in_number(std::string_view host) {
  const std::string_view label = host.substr(host.rfind('.') + 1);
  return std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_unit(std::string_view name) {
  const auto printable = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '\\'; };
  const auto is_type = [&](std::string_view type) { return name.size() > type.size() && name.ends_with(type); };
  return name.size() <= longest_unit && std::ranges::all_of(name, printable) &&
         std::ranges::any_of(unit_types, is_type);
}

std::unexpected<Error> refuse(std::string_view entry, std::string_view wanted, std::string_view found) {
  std::string out("\"");
  out.append(entry).append("\": expected ").append(wanted).append(", found \"").append(found).append("\"");
  return fail(std::move(out));
}

Result<std::vector<TlsRule>> read(std::span<const std::string> entries, std::string_view key) {
  std::vector<TlsRule> out;
  for (const std::string& entry : entries) {
    auto rule = TlsRule::parse(entry);
    if (!rule) return fail(std::string(key) + ": " + rule.error().text);
    out.push_back(*std::move(rule));
  }
  return out;
}

}  // namespace

std::optional<TlsRule::Host> TlsRule::parse_host(std::string_view text, bool bracketed) {
  if (bracketed && !text.contains(':')) return std::nullopt;
  if (auto range = Prefix::parse(text)) return *range;
  if (text == "*") return AnyHost{};
  auto pattern = HostPattern::parse(text);
  if (!pattern || ends_in_number(pattern->text())) return std::nullopt;
  return *std::move(pattern);
}

Result<TlsRule> TlsRule::parse(std::string_view entry) {
  const size_t space = std::min(entry.find(' '), entry.size());
  std::string_view more = entry.substr(space);
  while (more.starts_with(' ')) more.remove_prefix(1);

  const auto parts = split(entry.substr(0, space));
  auto host = parts ? parse_host(parts->host, parts->bracketed) : std::nullopt;
  if (!host)
    return refuse(entry, "a host (api.example.com, *.example.com), an address, a range (10.0.0.0/8) or *",
                  parts ? parts->host : entry.substr(0, space));
  TlsRule out;
  out.host_ = *std::move(host);
  if (parts->port) {
    out.port_ = port_of(*parts->port);
    if (!out.port_) return refuse(entry, "a port from 1 to 65535", *parts->port);
  }
  if (more.empty()) return out;

  constexpr std::string_view prefix = "unit=";
  if (!more.starts_with(prefix) || !is_unit(more.substr(prefix.size())))
    return refuse(entry, "unit= and the full name of a unit without escapes, as unit=shop.service", more);
  out.unit_ = more.substr(prefix.size());
  return out;
}

bool TlsRule::names(std::string_view host, const std::optional<IpAddress>& address, uint16_t port,
                    std::string_view unit) const {
  if (port_ && *port_ != port) return false;
  if (!unit_.empty() && unit_ != unit) return false;
  if (const auto* pattern = std::get_if<HostPattern>(&host_)) return pattern->matches(host);
  if (const auto* range = std::get_if<Prefix>(&host_)) return address && range->contains(*address);
  return true;
}

Result<TlsModes> TlsModes::create(std::span<const std::string> intercept, std::span<const std::string> passthrough) {
  auto intercepted = read(intercept, "tls.intercept");
  if (!intercepted) return std::unexpected(intercepted.error());
  auto passed = read(passthrough, "tls.passthrough");
  if (!passed) return std::unexpected(passed.error());
  TlsModes out;
  out.intercept_ = *std::move(intercepted);
  out.passthrough_ = *std::move(passed);
  return out;
}

bool TlsModes::intercepts(std::string_view host, uint16_t port, std::string_view unit) const {
  if (intercept_.empty()) return false;
  const auto address = IpAddress::parse(host);
  const auto named = [&](const TlsRule& rule) { return rule.names(host, address, port, unit); };
  return std::ranges::any_of(intercept_, named) && std::ranges::none_of(passthrough_, named);
}

}  // namespace lunar
