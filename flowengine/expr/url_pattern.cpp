#include "flowengine/expr/url_pattern.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "flowengine/expr/host_name.h"
#include "flowengine/uri.h"

namespace lunar {
namespace {

using Fault = std::optional<ExpressionFault>;

constexpr size_t longest_name = 253;

Fault bad_url(size_t offset, std::string text) { return ExpressionFault{offset, std::move(text), "bad-url"}; }
Fault bad_wildcard(size_t offset) {
  return ExpressionFault{offset, "`*` in a host stands in front as `*.`, or last in a pattern without a path",
                         "bad-wildcard"};
}

// How many bytes `scheme://` at the front has.
size_t scheme_length(std::string_view text) {
  size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) return 0;
  auto is_scheme_byte = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
  };
  return std::ranges::all_of(text.substr(0, end), is_scheme_byte) ? end + 3 : 0;
}

std::optional<uint16_t> parse_port(std::string_view digits) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  bool complete = error == std::errc() && end == digits.data() + digits.size();
  return complete && port != 0 ? std::optional(port) : std::nullopt;
}

}  // namespace

std::string_view take_last_label(std::string_view& host) {
  size_t dot = host.find(':') == std::string_view::npos ? host.rfind('.') : std::string_view::npos;
  std::string_view label = dot == std::string_view::npos ? host : host.substr(dot + 1);
  host = dot == std::string_view::npos ? std::string_view() : host.substr(0, dot);
  return label;
}

std::string_view take_first_label(std::string_view& host) {
  size_t dot = host.find(':') == std::string_view::npos ? host.find('.') : std::string_view::npos;
  std::string_view label = host.substr(0, dot);
  host = dot == std::string_view::npos ? std::string_view() : host.substr(dot + 1);
  return label;
}

std::expected<UrlPattern, ExpressionFault> UrlPattern::parse(std::string_view text) {
  UrlPattern out;
  out.text_ = text;
  out.remarks_.empty = text.empty();
  size_t start = scheme_length(text);
  out.remarks_.scheme_dropped = start > 0;
  std::string_view rest = text.substr(start);
  size_t query = rest.find('?');
  out.remarks_.query_dropped = query != std::string_view::npos;
  rest = rest.substr(0, query);
  size_t slash = std::min(rest.find('/'), rest.size());
  if (!text.empty()) {
    if (auto fault = out.parse_host(rest.substr(0, slash), start)) return std::unexpected(*std::move(fault));
    if (auto fault = out.parse_path_part(rest.substr(slash), start + slash)) return std::unexpected(*std::move(fault));
  }
  bool shortest_form = out.host_kind_ == HostKind::every || out.host_kind_ == HostKind::trailing;
  out.remarks_.host_only = !out.has_path_ && !shortest_form;
  out.set_rank();
  return out;
}

std::expected<UrlPattern, ExpressionFault> UrlPattern::parse_path(std::string_view text) {
  UrlPattern out;
  out.text_ = text;
  size_t query = text.find('?');
  out.remarks_.query_dropped = query != std::string_view::npos;
  if (text.empty()) return std::unexpected(*bad_url(0, "a path begins with `/`"));
  std::string_view path = text.substr(0, query);
  if (path != "*")
    if (auto fault = out.parse_path_part(path, 0)) return std::unexpected(*std::move(fault));
  out.set_rank();
  return out;
}

UrlPattern UrlPattern::with_path(const UrlPattern& path) const {
  UrlPattern out = *this;
  out.text_ += path.text_;
  out.path_ = path.path_;
  out.has_path_ = true;
  out.remarks_.host_only = false;
  out.set_rank();
  return out;
}

Fault UrlPattern::parse_path_part(std::string_view text, size_t offset) {
  auto path = PathPattern::parse(text);
  if (!path) return ExpressionFault{path.error().offset + offset, path.error().text, path.error().id};
  has_path_ = !text.empty();
  path_ = *std::move(path);
  bool star_with_path = has_path_ && host_kind_ == HostKind::trailing;
  if (!star_with_path) return std::nullopt;
  return bad_wildcard(offset - 1);
}

Fault UrlPattern::parse_host(std::string_view text, size_t offset) {
  if (text.starts_with('[')) {
    auto authority = parse_authority(text);
    if (!authority) return bad_url(offset, "this is no IPv6 address in brackets");
    host_kind_ = HostKind::literal;
    labels_.push_back({authority->host, false});
    port_ = authority->port.value_or(0);
    return std::nullopt;
  }
  size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    auto port = parse_port(text.substr(colon + 1));
    if (!port) return bad_url(offset + colon + 1, "a port is a number from 1 to 65535; IPv6 literals need brackets");
    port_ = *port;
  }
  std::string_view name = text.substr(0, colon);
  if (name.empty()) return bad_url(offset, "a pattern begins with a host; `*` is every host");
  if (name == "*" || name == ".*") return std::nullopt;
  if (name.ends_with('.') && name.size() > 1 && !name.ends_with("*.")) name.remove_suffix(1);
  return parse_labels(name, offset);
}

Fault UrlPattern::parse_labels(std::string_view name, size_t offset) {
  host_kind_ = HostKind::literal;
  std::string_view rest = name;
  if (rest.starts_with("*.")) {
    host_kind_ = HostKind::leading;
    rest.remove_prefix(2);
  }
  size_t length = 0;
  while (true) {
    size_t at = offset + static_cast<size_t>(rest.data() - name.data());
    size_t dot = rest.find('.');
    std::string_view label = rest.substr(0, dot);
    if (label == "*" && dot == std::string_view::npos && host_kind_ != HostKind::leading) {
      host_kind_ = HostKind::trailing;
      return std::nullopt;
    }
    if (auto fault = parse_label(label, at)) return fault;
    length += labels_.back().text.size() + 1;
    if (length > longest_name + 1) return bad_url(at, "the host is longer than 253 characters");
    if (dot == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(dot + 1);
  }
}

Fault UrlPattern::parse_label(std::string_view label, size_t offset) {
  if (size_t star = label.find('*'); star != std::string_view::npos) return bad_wildcard(offset + star);
  if (label.find_first_of("{}") != std::string_view::npos) {
    auto name = parameter_name(label);
    if (!name || name->empty())
      return bad_url(offset, "a parameter is a whole label: `{name}`, of letters, digits, `_` and `-`");
    if (host_kind_ == HostKind::literal) host_kind_ = HostKind::parameters;
    labels_.push_back({std::string(*name), true});
    return std::nullopt;
  }
  auto ascii = ascii_label(label);
  if (!ascii) return bad_url(offset, label.empty() ? "a label of the host is empty" : "this is no label of a host");
  labels_.push_back({*std::move(ascii), false});
  return std::nullopt;
}

// Bytes that compare as flows.md §4 orders: host class, literal labels, port, then segment by segment.
void UrlPattern::set_rank() {
  enum : char { star, end, parameter, literal };
  auto literal_labels = std::ranges::count(labels_, false, &PatternPiece::parameter);
  rank_ = {static_cast<char>(static_cast<int>(HostKind::every) - static_cast<int>(host_kind_)),
           static_cast<char>(literal_labels), static_cast<char>(port_ == 0 ? 0 : 1)};
  for (const PatternPiece& piece : path_.pieces()) rank_ += piece.parameter ? parameter : literal;
  rank_ += path_.covers_further() ? star : end;
}

std::vector<UrlPattern::Parameter> UrlPattern::parameters() const {
  std::vector<Parameter> out;
  std::string position = host_kind_ == HostKind::leading || host_kind_ == HostKind::every ? "*" : "";
  // A host is read from its end, so that it is a prefix too.
  for (auto label = labels_.rbegin(); label != labels_.rend(); ++label) {
    position += label->parameter ? ".{}" : "." + label->text;
    if (label->parameter) out.push_back({label->text, position});
  }
  std::ranges::reverse(out);
  if (host_kind_ == HostKind::trailing) position += ".*";
  if (port_ != 0) position += ":" + std::to_string(port_);
  for (const PatternPiece& piece : path_.pieces()) {
    position += piece.parameter ? "/{}" : "/" + piece.text;
    if (piece.parameter) out.push_back({piece.text, position});
  }
  return out;
}

bool UrlPattern::matches(std::string_view host, uint16_t port, std::string_view path) const {
  if (port_ != 0 && port != port_) return false;
  bool from_left = host_kind_ == HostKind::trailing;
  std::string_view rest = host;
  for (size_t i = 0; i < labels_.size(); ++i) {
    const PatternPiece& piece = from_left ? labels_[i] : labels_[labels_.size() - 1 - i];
    if (rest.empty()) return false;
    std::string_view label = from_left ? take_first_label(rest) : take_last_label(rest);
    if (!piece.parameter && label != piece.text) return false;
  }
  if (host_kind_ == HostKind::leading && rest.empty()) return false;
  bool exact_host = host_kind_ == HostKind::literal || host_kind_ == HostKind::parameters;
  return (!exact_host || rest.empty()) && path_.matches(path);
}

bool UrlPattern::has_params() const {
  return std::ranges::any_of(labels_, &PatternPiece::parameter) ||
         std::ranges::any_of(path_.pieces(), &PatternPiece::parameter);
}

PathParams UrlPattern::params(std::string_view host, std::string_view path) const {
  PathParams out;
  if (!has_params()) return out;
  bool from_left = host_kind_ == HostKind::trailing;
  for (size_t i = 0; i < labels_.size(); ++i) {
    const PatternPiece& piece = from_left ? labels_[i] : labels_[labels_.size() - 1 - i];
    std::string_view label = from_left ? take_first_label(host) : take_last_label(host);
    if (piece.parameter) out.emplace_back(piece.text, label);
  }
  if (!from_left) std::ranges::reverse(out);
  path_.collect_params(path, out);
  return out;
}

}  // namespace lunar
