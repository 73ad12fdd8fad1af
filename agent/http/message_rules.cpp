#include "agent/http/message_rules.h"

#include <limits>
#include <optional>

namespace lunar::http {
namespace {

// Gathered from all fields, before anything is concluded.
struct Facts {
  std::optional<uint64_t> content_length;
  bool transfer_encoding = false;
  bool chunked_last = false;
  bool close = false;
  bool keep_alive = false;
  bool upgrade_option = false;
  bool upgrade_field = false;
  bool host = false;
};

constexpr uint64_t largest_length = std::numeric_limits<int64_t>::max();

std::optional<uint64_t> decimal(std::string_view digits) {
  uint64_t value = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (largest_length - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return digits.empty() ? std::nullopt : std::optional(value);
}

// RFC 9110 §8.6: a repeated Content-Length has one meaning only if all its values are the same.
const char* read_content_length(std::string_view value, Facts& facts) {
  size_t members = 1;
  for (char c : value) members += c == ',';
  const char* fault = nullptr;
  for_each_member(value, [&](std::string_view member) {
    --members;
    auto length = decimal(member);
    if (!length) fault = "Content-Length is not a number";
    if (length && facts.content_length && *facts.content_length != *length) fault = "Content-Length values differ";
    facts.content_length = length;
  });
  return members != 0 ? "Content-Length is not a number" : fault;
}

bool is_compression(std::string_view coding) {
  for (std::string_view known : {"gzip", "deflate", "compress", "x-gzip", "x-compress"})
    if (equal_ignoring_case(coding, known)) return true;
  return false;
}

// Only spellings that every implementation reads alike: compressions, then at most one `chunked`, at the end.
const char* read_transfer_encoding(std::string_view value, Facts& facts) {
  if (facts.transfer_encoding) return "more than one Transfer-Encoding field";
  facts.transfer_encoding = true;
  const char* fault =
      value.empty() || value.front() == ',' || value.back() == ',' ? "empty Transfer-Encoding" : nullptr;
  for_each_member(value, [&](std::string_view coding) {
    if (facts.chunked_last) fault = "chunked is not the last transfer coding";
    facts.chunked_last = equal_ignoring_case(coding, "chunked");
    if (!facts.chunked_last && !is_compression(coding)) fault = "unknown transfer coding";
  });
  return fault;
}

void read_connection(std::string_view value, Facts& facts) {
  for_each_member(value, [&](std::string_view option) {
    if (equal_ignoring_case(option, "close")) facts.close = true;
    if (equal_ignoring_case(option, "keep-alive")) facts.keep_alive = true;
    if (equal_ignoring_case(option, "upgrade")) facts.upgrade_option = true;
  });
}

bool authenticates_connection(std::string_view value) {
  bool found = false;
  for_each_member(value, [&](std::string_view member) {
    std::string_view scheme = member.substr(0, member.find(' '));
    if (equal_ignoring_case(scheme, "ntlm") || equal_ignoring_case(scheme, "negotiate")) found = true;
  });
  return found;
}

const char* read_field(const Field& field, MessageHead& head, Facts& facts) {
  switch (field.kind) {
    case FieldKind::content_length:
      return read_content_length(field.value, facts);
    case FieldKind::transfer_encoding:
      return read_transfer_encoding(field.value, facts);
    case FieldKind::connection:
      read_connection(field.value, facts);
      break;
    case FieldKind::upgrade:
      facts.upgrade_field = true;
      break;
    case FieldKind::lunar:
      head.has_lunar = true;
      return nullptr;
    case FieldKind::authorization:
    case FieldKind::www_authenticate:
      if (authenticates_connection(field.value)) head.connection_auth = true;
      return nullptr;
    case FieldKind::proxy_authenticate:
    case FieldKind::proxy_authorization:
      if (authenticates_connection(field.value)) head.connection_auth = true;
      break;
    case FieldKind::keep_alive:
    case FieldKind::proxy_connection:
    case FieldKind::proxy_other:
    case FieldKind::te:
      break;
    default:
      return nullptr;
  }
  head.has_hop_by_hop = true;
  return nullptr;
}

const char* gather(MessageHead& head, Facts& facts) {
  for (const Field& field : head.fields) {
    if (field.kind == FieldKind::other) continue;
    if (const char* fault = read_field(field, head, facts)) return fault;
  }
  if (facts.transfer_encoding && facts.content_length) return "both Content-Length and Transfer-Encoding";
  if (facts.transfer_encoding && head.minor_version == 0) return "Transfer-Encoding in HTTP/1.0";
  head.keep_alive = !facts.close && (head.minor_version == 1 || facts.keep_alive);
  return nullptr;
}

BodyFraming fixed(uint64_t length) {
  return length == 0 ? BodyFraming{} : BodyFraming{BodyFraming::Kind::content_length, length};
}

}  // namespace

const char* apply_request_rules(RequestHead& head) {
  Facts facts;
  if (const char* fault = gather(head, facts)) return fault;
  for (const Field& field : head.fields) {
    if (field.kind == FieldKind::expect && head.minor_version == 1)
      head.expect_continue = equal_ignoring_case(field.value, "100-continue");
    if (field.kind != FieldKind::host) continue;
    if (facts.host) return "more than one Host field";
    facts.host = true;
    head.host = field.value;
  }
  if (facts.transfer_encoding && !facts.chunked_last) return "Transfer-Encoding of a request does not end in chunked";
  head.framing =
      facts.chunked_last ? BodyFraming{BodyFraming::Kind::chunked, 0} : fixed(facts.content_length.value_or(0));
  if (head.method == "CONNECT" && head.framing.kind != BodyFraming::Kind::none) return "CONNECT with a body";
  head.upgrade = facts.upgrade_option && facts.upgrade_field && head.minor_version == 1;
  return nullptr;
}

const char* apply_response_rules(RequestContext request, ResponseHead& head) {
  Facts facts;
  if (const char* fault = gather(head, facts)) return fault;
  head.upgrade = head.status == 101;
  if (request.http10 && !facts.keep_alive) head.keep_alive = false;
  bool bodiless_status = head.status < 200 || head.status == 204;
  if (bodiless_status && (facts.transfer_encoding || facts.content_length.value_or(0) != 0))
    return "a body is announced with a status that has none";
  bool tunnel = request.connect && head.status >= 200 && head.status < 300;
  if (bodiless_status || head.status == 304 || request.head || tunnel) return nullptr;
  if (facts.chunked_last) {
    head.framing = {BodyFraming::Kind::chunked, 0};
  } else if (facts.content_length) {
    head.framing = fixed(*facts.content_length);
  } else {
    head.framing = {BodyFraming::Kind::until_close, 0};
    head.keep_alive = false;
  }
  return nullptr;
}

bool is_hop_by_hop(const Field& field, const MessageHead& head) {
  switch (field.kind) {
    case FieldKind::connection:
    case FieldKind::keep_alive:
    case FieldKind::proxy_connection:
    case FieldKind::te:
    case FieldKind::upgrade:
    case FieldKind::proxy_authenticate:
    case FieldKind::proxy_authorization:
      return true;
    case FieldKind::proxy_other:
      return !equal_ignoring_case(field.name, "proxy-status");  // RFC 9209: end to end
    // A sender that names these would make the next hop read another message.
    case FieldKind::host:
    case FieldKind::content_length:
    case FieldKind::transfer_encoding:
    case FieldKind::expect:
      return false;
    default:
      break;
  }
  bool named = false;
  for (const Field& other : head.fields) {
    if (other.kind != FieldKind::connection) continue;
    for_each_member(other.value, [&](std::string_view option) { named |= equal_ignoring_case(option, field.name); });
  }
  return named;
}

}  // namespace lunar::http
