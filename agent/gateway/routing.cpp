#include "agent/gateway/routing.h"

#include <algorithm>
#include <optional>

#include "flowengine/uri.h"

namespace lunar::gateway {
namespace {

std::string_view field_value(const http::RequestHead& head, std::string_view name) {
  const http::Field* field = head.fields.find(name);
  return field != nullptr ? field->value : std::string_view{};
}

// Scheme and authority as a client named them, whichever way.
void settle(Route& route, std::string_view scheme, std::string_view authority, std::string_view source) {
  auto known_scheme = scheme.empty() ? std::optional(Scheme::http) : parse_scheme(scheme);
  if (!known_scheme) {
    route.refuse(Refusal::routing, "the scheme beside " + std::string(source) + " must be http or https");
    return;
  }
  auto parsed = parse_authority(authority);
  if (!parsed) {
    route.refuse(Refusal::routing, std::string(source) + " must be host or host:port");
    return;
  }
  route.tls = *known_scheme == Scheme::https;
  route.host = parsed->host;
  route.port = parsed->port.value_or(default_port(*known_scheme));
  route.authority = authority;
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int high = i + 2 < text.size() && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Where the parameter `name` stands in the target: from behind its separator to the next one or the end.
std::optional<std::pair<size_t, size_t>> find_parameter(std::string_view target, std::string_view name) {
  size_t begin = target.find('?');
  while (begin != std::string_view::npos && begin + 1 < target.size()) {
    size_t end = std::min(target.find('&', begin + 1), target.size());
    std::string_view pair = target.substr(begin + 1, end - begin - 1);
    if (pair.substr(0, pair.find('=')) == name) return std::pair{begin + 1, end};
    begin = end;
  }
  return std::nullopt;
}

// Cuts one query parameter out of the target; returns its decoded value.
std::optional<std::string> take_parameter(std::string& target, std::string_view name) {
  auto found = find_parameter(target, name);
  if (!found) return std::nullopt;
  auto [begin, end] = *found;
  std::string_view pair = std::string_view(target).substr(begin, end - begin);
  std::string value = pair.size() > name.size() ? percent_decoded(pair.substr(name.size() + 1)) : std::string{};
  // The separator that stays is the one in front, unless this was the last parameter.
  if (end == target.size()) {
    target.erase(begin - 1);
  } else {
    target.erase(begin, end + 1 - begin);
  }
  return value;
}

void by_query(Route& route, const http::RequestHead& head) {
  route.mode = EntryMode::query;
  route.target = head.target;
  auto host = take_parameter(route.target, "lunar_original_host");
  auto scheme = take_parameter(route.target, "lunar_original_scheme");
  (void)take_parameter(route.target, "lunar_consumer_tag");
  if (!host) {
    route.refuse(Refusal::routing, "the query parameter lunar_original_host is missing");
    return;
  }
  settle(route, scheme.value_or(""), *host, "lunar_original_host");
}

void by_target(Route& route, const http::RequestHead& head) {
  route.mode = EntryMode::forward;
  auto absolute = parse_absolute_target(head.target);
  if (!absolute) {
    route.refuse(Refusal::routing, "send x-lunar-host, an absolute request target, or CONNECT");
    return;
  }
  route.tls = absolute->scheme == Scheme::https;
  route.host = absolute->authority.host;
  route.port = absolute->port();
  route.authority = absolute->authority.text();
  route.target = absolute->origin_form;
}

}  // namespace

Route find_route(const http::RequestHead& head, RoutingMode mode) {
  Route route;
  if (head.method == "CONNECT") {
    route.mode = EntryMode::forward;
    route.tunnel = true;
    auto parsed = parse_authority(head.target);
    if (parsed && parsed->port) {
      settle(route, "", head.target, "CONNECT");
    } else {
      route.refuse(Refusal::routing, "CONNECT needs host:port");
    }
    return route;
  }
  if (mode.connect_only) {
    route.mode = EntryMode::forward;
    route.refuse(Refusal::routing, "this port takes CONNECT only");
    return route;
  }
  if (mode.query_mode) {
    by_query(route, head);
    if (!route.refused || !head.target.starts_with("http")) return route;
    route = Route{};
  } else if (std::string_view host = field_value(head, "x-lunar-host"); !host.empty()) {
    settle(route, field_value(head, "x-lunar-scheme"), host, "x-lunar-host");
    return route;
  }
  by_target(route, head);
  return route;
}

}  // namespace lunar::gateway
