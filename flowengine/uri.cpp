#include "flowengine/uri.h"

#include <algorithm>

namespace lunar {
namespace {

constexpr size_t longest_name = 253;  // RFC 1035 §2.3.4, as text

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool is_name_byte(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_'; }

std::string folded(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::optional<uint16_t> parse_port(std::string_view digits) {
  if (digits.empty() || digits.size() > 5 || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  uint32_t port = 0;
  for (char c : digits) port = port * 10 + static_cast<uint32_t>(c - '0');
  if (port == 0 || port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > longest_name) return false;
  bool label_empty = true;
  for (char c : name) {
    if (c != '.' && !is_name_byte(c)) return false;
    if (c == '.' && label_empty) return false;
    label_empty = c == '.';
  }
  return !label_empty;
}

bool is_ipv4(std::string_view text) {
  int parts = 0;
  while (true) {
    size_t dot = text.find('.');
    std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || !std::ranges::all_of(part, is_digit)) return false;
    int value = 0;
    for (char c : part) value = value * 10 + (c - '0');
    if (value > 255 || (part.size() > 1 && part[0] == '0') || ++parts > 4) return false;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

// How many 16-bit groups a part of an IPv6 address without `::` stands for, or -1.
int count_groups(std::string_view text, bool may_end_in_ipv4) {
  int groups = 0;
  while (!text.empty()) {
    size_t colon = text.find(':');
    std::string_view group = text.substr(0, colon);
    bool last = colon == std::string_view::npos;
    if (last && may_end_in_ipv4 && is_ipv4(group)) return groups + 2;
    if (group.empty() || group.size() > 4 || !std::ranges::all_of(group, is_hex)) return -1;
    ++groups;
    if (last) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return -1;
  }
  return groups;
}

bool is_ipv6(std::string_view text) {
  size_t gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text, true) == 8;
  int before = count_groups(text.substr(0, gap), false);
  int after = count_groups(text.substr(gap + 2), true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

std::optional<Authority> parse_bracketed(std::string_view text) {
  size_t close = text.find(']');
  if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return std::nullopt;
  Authority out{folded(text.substr(1, close - 1)), std::nullopt, true};
  std::string_view rest = text.substr(close + 1);
  if (rest.empty()) return out;
  out.port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
  return out.port ? std::optional(out) : std::nullopt;
}

}  // namespace

std::string Authority::text() const {
  std::string out = ipv6 ? "[" + host + "]" : host;
  return port ? out + ":" + std::to_string(*port) : out;
}

std::optional<Authority> parse_authority(std::string_view text) {
  if (text.starts_with('[')) return parse_bracketed(text);
  size_t colon = text.find(':');
  std::string_view name = text.substr(0, colon);
  if (name.ends_with('.')) name.remove_suffix(1);
  if (!is_name(name)) return std::nullopt;
  Authority out{folded(name), std::nullopt, false};
  if (colon == std::string_view::npos) return out;
  out.port = parse_port(text.substr(colon + 1));
  return out.port ? std::optional(out) : std::nullopt;
}

std::optional<Scheme> parse_scheme(std::string_view text) {
  std::string name = folded(text);
  if (name == "http") return Scheme::http;
  if (name == "https") return Scheme::https;
  return std::nullopt;
}

std::optional<AbsoluteTarget> parse_absolute_target(std::string_view target) {
  size_t separator = target.find("://");
  if (separator == std::string_view::npos) return std::nullopt;
  auto scheme = parse_scheme(target.substr(0, separator));
  std::string_view rest = target.substr(separator + 3);
  size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  auto authority = parse_authority(rest.substr(0, path));
  if (!scheme || !authority) return std::nullopt;
  std::string origin_form(rest.substr(path, rest.find('#', path) - path));
  if (!origin_form.starts_with('/')) origin_form.insert(origin_form.begin(), '/');
  return AbsoluteTarget{*scheme, *std::move(authority), std::move(origin_form)};
}

}  // namespace lunar
