#include "flowengine/processors/changes.h"

#include <algorithm>

namespace lunar {
namespace {

bool is_token(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    bool alphanumeric = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool is_target_text(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == '#'; });
}

}  // namespace

bool is_hop_by_hop_field(std::string_view name) {
  constexpr std::string_view names[] = {"connection", "keep-alive", "proxy-connection",  "te",
                                        "trailer",    "upgrade",    "transfer-encoding", "content-length"};
  return std::ranges::any_of(names, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

bool is_settable_field(std::string_view name, std::string_view value) {
  auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
  return is_token(name) && !is_hop_by_hop_field(name) && std::ranges::none_of(value, is_control);
}

bool set_path(Request& request, std::string_view path) {
  std::string text = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  if (!is_target_text(text) || text.contains('?')) return false;
  request.path = request.keep(std::move(text));
  request.head_changed = true;
  return true;
}

bool set_query(Request& request, std::string_view query) {
  if (query.starts_with('?')) query.remove_prefix(1);
  if (!is_target_text(query)) return false;
  request.query = request.keep(std::string(query));
  request.head_changed = true;
  return true;
}

bool set_host(Request& request, std::string_view authority) {
  auto parsed = parse_authority(authority);
  if (!parsed) return false;
  request.host = request.keep(parsed->host);
  request.port = parsed->port.value_or(default_port(request.scheme));
  request.set_field("Host", authority);
  request.host_changed = true;
  return true;
}

}  // namespace lunar
