// From HTTP/2 to HTTP/1.1.
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "agent/http/chars.h"
#include "agent/http/h2_fields.h"
#include "agent/http/h2_websocket.h"
#include "agent/http/serializer.h"

namespace lunar::http {
namespace {

using Tunnel = H2Exchange::Tunnel;
using Kind = BodyFraming::Kind;
using Value = std::optional<std::string_view>;

struct Pseudo {
  Value method, scheme, authority, path, protocol, status;
};

using Slot = std::pair<std::string_view, Value Pseudo::*>;
constexpr Slot request_slots[] = {{":method", &Pseudo::method},
                                  {":scheme", &Pseudo::scheme},
                                  {":authority", &Pseudo::authority},
                                  {":path", &Pseudo::path},
                                  {":protocol", &Pseudo::protocol}};
constexpr Slot response_slots[] = {{":status", &Pseudo::status}};

// A field list, taken apart and checked field by field.
struct Parts {
  Pseudo pseudo;
  std::span<const H2Field> regular;
  Value host;
  std::optional<uint64_t> content_length;
  bool te = false;
  bool grpc = false;
};

// Most heads are not longer, and do not grow byte by byte then.
constexpr size_t ordinary_head = 1024;

// What a list may contain beside ordinary fields.
struct Grammar {
  std::span<const Slot> pseudo;
  bool te = false;
};

template <class Allowed>
bool all_bytes(std::string_view text, Allowed allowed) {
  for (char c : text)
    if (!allowed(c)) return false;
  return true;
}

const char* take_pseudo(const H2Field& field, std::span<const Slot> slots, Pseudo& out) {
  for (const auto& [name, member] : slots) {
    if (field.name != name) continue;
    if (out.*member) return "repeated pseudo-field";
    out.*member = field.value;
    return nullptr;
  }
  return "unknown pseudo-field";
}

// RFC 9113 §8.2.1, and the bytes that HTTP/1.1 has no place for.
const char* check_bytes(const H2Field& field) {
  if (field.name.empty()) return "empty field name";
  if (field.name.front() == ':') return "pseudo-field behind a field";
  for (char c : field.name) {
    if (c >= 'A' && c <= 'Z') return "field name in upper case";
    if (!is_token_byte(c)) return "invalid byte in a field name";
  }
  if (!all_bytes(field.value, is_value_byte)) return "control character in a field value";
  if (!field.value.empty() && (is_blank(field.value.front()) || is_blank(field.value.back())))
    return "whitespace around a field value";
  return nullptr;
}

const char* take_content_length(std::string_view value, Parts& out) {
  uint64_t length = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  bool number = error == std::errc() && end == value.data() + value.size();
  if (!number || length > std::numeric_limits<int64_t>::max()) return "content-length is not a number";
  if (out.content_length && *out.content_length != length) return "content-length values differ";
  out.content_length = length;
  return nullptr;
}

const char* take_regular(const H2Field& field, const Grammar& grammar, Parts& out) {
  if (const char* fault = check_bytes(field)) return fault;
  switch (field_kind(field.name)) {
    case FieldKind::connection:
    case FieldKind::keep_alive:
    case FieldKind::proxy_connection:
    case FieldKind::transfer_encoding:
    case FieldKind::upgrade:
      return "connection-specific field";
    case FieldKind::te:
      if (!grammar.te || !equal_ignoring_case(field.value, "trailers")) return "te is not trailers";
      out.te = true;
      return nullptr;
    case FieldKind::host:
      if (out.host) return "more than one host field";
      out.host = field.value;
      return nullptr;
    case FieldKind::content_length:
      return take_content_length(field.value, out);
    default:
      if (field.name == "content-type" && field.value.starts_with("application/grpc")) out.grpc = true;
      return nullptr;
  }
}

// HTTP/1.1 has trailers behind chunks alone, and gRPC says its outcome there, while it needs no length.
void make_room_for_trailers(Parts& parts, bool ended) {
  if (parts.grpc && !ended) parts.content_length.reset();
}

const char* take_apart(std::span<const H2Field> fields, const Grammar& grammar, Parts& out) {
  size_t at = 0;
  for (; at < fields.size() && fields[at].name.starts_with(':'); ++at)
    if (const char* fault = take_pseudo(fields[at], grammar.pseudo, out.pseudo)) return fault;
  out.regular = fields.subspan(at);
  for (const H2Field& field : out.regular)
    if (const char* fault = take_regular(field, grammar, out)) return fault;
  return nullptr;
}

std::string_view without_port(std::string_view authority, std::string_view port) {
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

bool same_authority(std::string_view left, std::string_view right, std::string_view scheme) {
  std::string_view port = equal_ignoring_case(scheme, "http") ? ":80" : ":443";
  return equal_ignoring_case(without_port(left, port), without_port(right, port));
}

bool is_authority(std::string_view text) {
  auto allowed = [](char c) {
    return is_target_byte(c) && std::string_view("@/?#\\,").find(c) == std::string_view::npos;
  };
  return !text.empty() && all_bytes(text, allowed);
}

// RFC 9113 §8.3.1: of http and https, one of both is there, and both name the same.
const char* check_authority(const Parts& parts) {
  const Value& authority = parts.pseudo.authority;
  if (!authority && !parts.host) return "neither :authority nor host";
  if (authority && !is_authority(*authority)) return "invalid :authority";
  if (parts.host && !is_authority(*parts.host)) return "invalid host";
  if (authority && parts.host && !same_authority(*authority, *parts.host, parts.pseudo.scheme.value_or("https")))
    return ":authority and host differ";
  return nullptr;
}

const char* check_path(std::string_view path, std::string_view method) {
  if (path.empty()) return "empty :path";
  if (!all_bytes(path, is_target_byte)) return "invalid byte in :path";
  if (path == "*" && method == "OPTIONS") return nullptr;
  return path.front() == '/' ? nullptr : ":path does not begin with a slash";
}

const char* check_protocol(const Pseudo& pseudo, bool connect, const H2RequestRules& rules) {
  if (!pseudo.protocol) return nullptr;
  if (!connect) return ":protocol without CONNECT";
  if (!rules.extended_connect) return "extended CONNECT was not offered";
  return is_token(*pseudo.protocol) ? nullptr : "invalid :protocol";
}

const char* check_request(const Parts& parts, const H2RequestRules& rules) {
  const Pseudo& pseudo = parts.pseudo;
  if (!pseudo.method || !is_token(*pseudo.method)) return "no valid :method";
  bool connect = *pseudo.method == "CONNECT";
  if (const char* fault = check_protocol(pseudo, connect, rules)) return fault;
  if (connect && parts.content_length.value_or(0) != 0) return "CONNECT with a body";
  if (connect && !pseudo.protocol) {
    if (pseudo.scheme || pseudo.path) return "CONNECT with :scheme or :path";
    return pseudo.authority ? check_authority(parts) : "CONNECT without :authority";
  }
  if (!pseudo.scheme || !pseudo.path) return "no :scheme or no :path";
  if (!equal_ignoring_case(*pseudo.scheme, "http") && !equal_ignoring_case(*pseudo.scheme, "https"))
    return ":scheme is neither http nor https";
  if (const char* fault = check_path(*pseudo.path, *pseudo.method)) return fault;
  return check_authority(parts);
}

H2Exchange exchange_of(const Pseudo& pseudo, const H2RequestRules& rules) {
  H2Exchange exchange;
  exchange.head = *pseudo.method == "HEAD";
  if (*pseudo.method != "CONNECT") return exchange;
  exchange.tunnel = pseudo.protocol ? Tunnel::extended : Tunnel::connect;
  if (!pseudo.protocol) return exchange;
  exchange.protocol = *pseudo.protocol;
  if (exchange.protocol == "websocket") exchange.websocket_key = websocket_key(rules.websocket_nonce);
  return exchange;
}

void put(std::string& text, std::initializer_list<std::string_view> pieces) {
  for (std::string_view piece : pieces) text.append(piece);
}

void put_line(std::string& text, std::string_view name, std::string_view value) {
  put(text, {name, ": ", value, "\r\n"});
}

// RFC 9113 §8.2.3: crumbs of one cookie become one field again, in the place of the first.
void put_cookie(std::string& text, std::span<const H2Field> fields) {
  std::string_view separator = "cookie: ";
  for (const H2Field& field : fields) {
    if (field.name != "cookie") continue;
    put(text, {separator, field.value});
    separator = "; ";
  }
  text.append("\r\n");
}

struct Omitted {
  bool host = false;
  bool content_length = false;
  std::string_view name = {};  // one further field, by name
};

void put_fields(std::string& text, std::span<const H2Field> fields, Omitted omitted) {
  bool cookie = false;
  for (const H2Field& field : fields) {
    FieldKind kind = field_kind(field.name);
    if (kind == FieldKind::host && omitted.host) continue;
    if (kind == FieldKind::content_length && omitted.content_length) continue;
    if (!omitted.name.empty() && field.name == omitted.name) continue;
    if (kind == FieldKind::content_length) omitted.content_length = true;  // equal ones once
    if (field.name != "cookie") {
      put_line(text, field.name, field.value);
    } else if (!std::exchange(cookie, true)) {
      put_cookie(text, fields);
    }
  }
}

void put_request_line(std::string& text, const Pseudo& pseudo, Tunnel tunnel) {
  std::string_view method = tunnel == Tunnel::extended ? "GET" : *pseudo.method;
  put(text, {method, " ", tunnel == Tunnel::connect ? *pseudo.authority : *pseudo.path, " HTTP/1.1\r\n"});
}

// Fields that HTTP/1.1 says about this connection.
void put_connection(std::string& text, const H2Exchange& exchange, bool te) {
  bool upgrade = exchange.tunnel == Tunnel::extended;
  if (upgrade || te) put_line(text, "connection", upgrade && te ? "upgrade, te" : upgrade ? "upgrade" : "te");
  if (upgrade) put_line(text, "upgrade", exchange.protocol);
}

bool expects_length(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

// Announces the body with one more line, where its length is not among the fields.
void put_framing(std::string& text, const BodyFraming& framing, bool empty_length) {
  if (framing.kind == Kind::chunked) put_line(text, "transfer-encoding", "chunked");
  if (empty_length) put_line(text, implied_length, "0");
}

int status_of(const Value& status) {
  if (!status || status->size() != 3) return 0;
  int number = 0;
  for (char c : *status) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + (c - '0');
  }
  return number;
}

// RFC 9110 §6.4.1.
bool has_body(int status, const H2Exchange& exchange) {
  return !exchange.head && status >= 200 && status != 204 && status != 304;
}

const char* check_response(int status, bool ended, const Parts& parts, const H2Exchange& exchange) {
  uint64_t length = parts.content_length.value_or(0);
  if (status < 100) return "no valid :status";
  if (status == 101) return ":status 101";
  if (status < 200 && ended) return "the response ends with an interim head";
  if ((status < 200 || status == 204) && length != 0) return "a body is announced with a status that has none";
  if (ended && length != 0 && has_body(status, exchange)) return "content-length announces bytes that do not come";
  return nullptr;
}

BodyFraming framing_of(int status, bool ended, const Parts& parts, const H2Exchange& exchange) {
  if (ended || !has_body(status, exchange)) return {};
  if (parts.content_length) return {Kind::content_length, *parts.content_length};
  return {exchange.http10 ? Kind::until_close : Kind::chunked, 0};
}

void put_status_line(std::string& text, int status) {
  std::array<char, 4> digits{};
  std::to_chars(digits.data(), digits.data() + 3, status);
  put(text, {"HTTP/1.1 ", {digits.data(), 3}, " ", reason_phrase(status), "\r\n"});
}

// RFC 8441 §4 and RFC 9110 §9.3.6: from here on the stream carries bytes.
void put_tunnel(const Parts& parts, int status, const H2Exchange& exchange, H1Head& out) {
  bool upgrade = exchange.tunnel == Tunnel::extended;
  put_status_line(out.text, upgrade ? 101 : status);
  put_connection(out.text, exchange, false);
  if (!exchange.websocket_key.empty())
    put_line(out.text, "sec-websocket-accept", websocket_accept(exchange.websocket_key));
  put_fields(out.text, parts.regular, {.content_length = true, .name = "sec-websocket-accept"});
  out.framing = {Kind::until_close, 0};
}

}  // namespace

const char* request_to_h1(std::span<const H2Field> fields, bool ended, const H2RequestRules& rules,
                          H2Exchange& exchange, H1Head& out) {
  Parts parts;
  if (const char* fault = take_apart(fields, {request_slots, true}, parts)) return fault;
  if (const char* fault = check_request(parts, rules)) return fault;
  uint64_t length = parts.content_length.value_or(0);
  if (ended && length != 0) return "content-length announces bytes that do not come";
  make_room_for_trailers(parts, ended);
  exchange = exchange_of(parts.pseudo, rules);
  bool tunnel = exchange.tunnel != Tunnel::none;
  out.interim = false;
  out.grpc = parts.grpc;
  out.framing = {};
  if (tunnel) out.framing = {Kind::until_close, 0};
  if (!tunnel && !ended)
    out.framing = parts.content_length ? BodyFraming{Kind::content_length, length} : BodyFraming{Kind::chunked, 0};
  out.text.clear();
  out.text.reserve(ordinary_head);
  put_request_line(out.text, parts.pseudo, exchange.tunnel);
  if (parts.pseudo.authority) put_line(out.text, "host", *parts.pseudo.authority);
  put_connection(out.text, exchange, parts.te);
  if (!exchange.websocket_key.empty()) put_line(out.text, "sec-websocket-key", exchange.websocket_key);
  std::string_view replaced = exchange.websocket_key.empty() ? "" : "sec-websocket-key";
  put_fields(out.text, parts.regular,
             {.host = parts.pseudo.authority.has_value(),
              .content_length = tunnel || out.framing.kind == Kind::chunked,
              .name = replaced});
  put_framing(out.text, out.framing, ended && !parts.content_length && expects_length(*parts.pseudo.method));
  out.text.append("\r\n");
  return nullptr;
}

const char* response_to_h1(std::span<const H2Field> fields, bool ended, const H2Exchange& exchange, H1Head& out) {
  Parts parts;
  if (const char* fault = take_apart(fields, {response_slots, false}, parts)) return fault;
  int status = status_of(parts.pseudo.status);
  if (const char* fault = check_response(status, ended, parts, exchange)) return fault;
  out.text.clear();
  out.text.reserve(ordinary_head);
  out.framing = {};
  out.interim = status < 200;
  make_room_for_trailers(parts, ended || !has_body(status, exchange));
  if (exchange.tunnel != Tunnel::none && status >= 200 && status < 300) {
    put_tunnel(parts, status, exchange, out);
  } else {
    out.framing = framing_of(status, ended, parts, exchange);
    put_status_line(out.text, status);
    put_fields(out.text, parts.regular, {.content_length = out.framing.kind == Kind::chunked});
    put_framing(out.text, out.framing, ended && !parts.content_length && has_body(status, exchange));
  }
  out.text.append("\r\n");
  return nullptr;
}

const char* trailers_to_h1(std::span<const H2Field> fields, std::string& out) {
  Parts parts;
  for (const H2Field& field : fields) {
    if (field.name.starts_with(':')) return "pseudo-field in trailers";
    if (const char* fault = take_regular(field, {}, parts)) return fault;
    FieldKind kind = field_kind(field.name);
    bool frames = kind == FieldKind::host || kind == FieldKind::content_length || kind == FieldKind::trailer;
    if (!frames) put_line(out, field.name, field.value);
  }
  return nullptr;
}

}  // namespace lunar::http
