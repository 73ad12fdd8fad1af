// From HTTP/1.1 to HTTP/2.
#include <array>
#include <charconv>

#include "agent/http/chars.h"
#include "agent/http/h2_fields.h"
#include "agent/http/h2_websocket.h"

namespace lunar::http {
namespace {

using Tunnel = H2Exchange::Tunnel;
using Kind = BodyFraming::Kind;

bool has_member(std::string_view value, std::string_view wanted) {
  bool found = false;
  for_each_member(value, [&](std::string_view member) { found |= equal_ignoring_case(member, wanted); });
  return found;
}

// RFC 9113 §8.2.2: those of the connection, and those that a Connection field names. Credentials for a proxy are left
// to whoever decides about proxies.
bool concerns_connection(const Field& field, const MessageHead& head) {
  switch (field.kind) {
    case FieldKind::connection:
    case FieldKind::keep_alive:
    case FieldKind::proxy_connection:
    case FieldKind::transfer_encoding:
    case FieldKind::upgrade:
    case FieldKind::te:
      return true;
    case FieldKind::proxy_authenticate:
    case FieldKind::proxy_authorization:
    case FieldKind::proxy_other:
      return false;
    default:
      return is_hop_by_hop(field, head);
  }
}

// A coding under `chunked` has no place in HTTP/2, and without it the bytes would be something else.
const char* check_transfer_coding(const MessageHead& head) {
  const Field* coding = head.fields.find(FieldKind::transfer_encoding);
  return coding == nullptr || equal_ignoring_case(coding->value, "chunked") ? nullptr
                                                                            : "transfer coding other than chunked";
}

void add_length(uint64_t length, H2FieldBlock& out) {
  std::array<char, 20> digits;
  auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), length);
  out.add("content-length", {digits.data(), static_cast<size_t>(end - digits.data())});
}

// Of several equal lengths or a list of them, one: the first, where it is one number.
void add_content_length(const Field& field, const BodyFraming& framing, H2FieldBlock& out) {
  if (framing.kind == Kind::content_length)
    add_length(framing.length, out);
  else
    out.add("content-length", field.value.substr(0, field.value.find_first_of(", \t")));
}

struct Omitted {
  bool host = false;
  bool content_length = false;
  bool te = true;
  std::string_view name = {};  // one further field, by name
};

void add_fields(const MessageHead& head, Omitted omitted, H2FieldBlock& out) {
  for (const Field& field : head.fields) {
    if (field.kind == FieldKind::te && !omitted.te && has_member(field.value, "trailers")) {
      out.add("te", "trailers");
      omitted.te = true;
    }
    if (concerns_connection(field, head) || (field.kind == FieldKind::host && omitted.host)) continue;
    if (!omitted.name.empty() && equal_ignoring_case(field.name, omitted.name)) continue;
    if (field.kind == FieldKind::content_length && field.name == implied_length && field.value == "0") continue;
    if (field.kind != FieldKind::content_length) {
      out.add_in_lower_case(field.name, field.value);
    } else if (!omitted.content_length) {
      add_content_length(field, head.framing, out);
      omitted.content_length = true;
    }
  }
}

struct Target {
  std::string_view scheme;
  std::string_view authority;
  std::string path;
};

// RFC 9112 §3.2: origin form, asterisk form, and absolute form, which wins over Host.
Target target_of(const RequestHead& head, std::string_view scheme) {
  size_t colon = head.target.find("://");
  std::string_view named = head.target.substr(0, colon);
  if (colon == std::string_view::npos || !(equal_ignoring_case(named, "http") || equal_ignoring_case(named, "https")))
    return {scheme, head.host, std::string(head.target)};
  std::string_view rest = head.target.substr(colon + 3);
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  std::string_view path = rest.substr(authority.size());
  if (path.empty() && head.method == "OPTIONS") return {named, authority, "*"};
  return {named, authority, path.starts_with('/') ? std::string(path) : std::string("/").append(path)};
}

const char* check_target(const Target& target, std::string_view method) {
  if (target.authority.empty()) return "no host";
  if (target.path == "*" && method == "OPTIONS") return nullptr;
  return target.path.starts_with('/') ? nullptr : "target is neither a path nor an absolute URI";
}

const char* add_pseudo_fields(const RequestHead& head, const H2PeerRules& rules, const H2Exchange& exchange,
                              H2FieldBlock& out) {
  if (exchange.tunnel == Tunnel::connect) {
    out.add(":method", "CONNECT");
    out.add(":authority", head.target);
    return nullptr;
  }
  Target target = target_of(head, rules.scheme);
  if (const char* fault = check_target(target, head.method)) return fault;
  bool upgrade = exchange.tunnel == Tunnel::extended;
  out.add(":method", upgrade ? "CONNECT" : head.method);
  if (upgrade) out.add(":protocol", exchange.protocol);
  out.add(":scheme", target.scheme);
  out.add(":authority", target.authority);
  out.add(":path", target.path);
  return nullptr;
}

// Only of a WebSocket is it known that both versions mean the same.
bool asks_for_websocket(const RequestHead& head) {
  const Field* upgrade = head.fields.find(FieldKind::upgrade);
  return head.upgrade && head.method == "GET" && upgrade != nullptr && has_member(upgrade->value, "websocket");
}

H2Exchange exchange_of(const RequestHead& head) {
  H2Exchange exchange;
  exchange.head = head.method == "HEAD";
  exchange.http10 = head.minor_version == 0;
  if (head.method == "CONNECT") exchange.tunnel = Tunnel::connect;
  if (!asks_for_websocket(head)) return exchange;
  exchange.tunnel = Tunnel::extended;
  exchange.protocol = "websocket";
  const Field* key = head.fields.find("sec-websocket-key");
  if (key != nullptr) exchange.websocket_key = key->value;
  return exchange;
}

// Trailers must not frame or route a message (RFC 9110 §6.5.1), and a connection has none.
bool concerns_message(FieldKind kind) {
  switch (kind) {
    case FieldKind::host:
    case FieldKind::content_length:
    case FieldKind::trailer:
    case FieldKind::connection:
    case FieldKind::keep_alive:
    case FieldKind::proxy_connection:
    case FieldKind::transfer_encoding:
    case FieldKind::upgrade:
    case FieldKind::te:
      return true;
    default:
      return false;
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

const char* check_upgrade(const ResponseHead& head, const H2Exchange& exchange) {
  bool extended = exchange.tunnel == Tunnel::extended;
  if (head.status == 101 && !extended) return "101 without an extended CONNECT";
  if (head.status >= 200 && head.status < 300 && extended) return "an upgrade was answered as if there were none";
  if (head.status != 101 || exchange.websocket_key.empty()) return nullptr;
  const Field* accept = head.fields.find("sec-websocket-accept");
  bool proved = accept != nullptr && accept->value == websocket_accept(exchange.websocket_key);
  return proved ? nullptr : "Sec-WebSocket-Accept does not belong to the key";
}

}  // namespace

const char* request_to_h2(const RequestHead& head, const H2PeerRules& rules, H2Exchange& exchange, H2FieldBlock& out,
                          BodyFraming& framing) {
  if (const char* fault = check_transfer_coding(head)) return fault;
  exchange = exchange_of(head);
  bool upgrade = exchange.tunnel == Tunnel::extended;
  if (upgrade && !rules.extended_connect) return "the peer does not offer extended CONNECT";
  if (const char* fault = add_pseudo_fields(head, rules, exchange, out)) return fault;
  bool tunnel = exchange.tunnel != Tunnel::none;
  add_fields(head, {.host = true, .content_length = tunnel, .te = false, .name = upgrade ? "sec-websocket-key" : ""},
             out);
  framing = tunnel ? BodyFraming{Kind::until_close, 0} : head.framing;
  return nullptr;
}

const char* response_to_h2(const ResponseHead& head, const H2Exchange& exchange, H2FieldBlock& out,
                           BodyFraming& framing) {
  if (const char* fault = check_transfer_coding(head)) return fault;
  if (const char* fault = check_upgrade(head, exchange)) return fault;
  bool upgrade = head.status == 101;
  bool tunnel = upgrade || (exchange.tunnel == Tunnel::connect && head.status >= 200 && head.status < 300);
  std::array<char, 4> digits{};
  std::to_chars(digits.data(), digits.data() + 3, upgrade ? 200 : head.status);
  out.add(":status", {digits.data(), 3});
  add_fields(head, {.content_length = tunnel, .name = upgrade ? "sec-websocket-accept" : ""}, out);
  framing = tunnel ? BodyFraming{Kind::until_close, 0} : head.framing;
  return nullptr;
}

const char* trailers_to_h2(std::string_view lines, H2FieldBlock& out) {
  while (!lines.empty()) {
    size_t end = lines.find("\r\n");
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return "trailer without a colon";
    std::string_view name = line.substr(0, colon);
    std::string_view value = trimmed(line.substr(colon + 1));
    if (!concerns_message(field_kind(name))) out.add_in_lower_case(name, value);
  }
  return nullptr;
}

}  // namespace lunar::http
