// HTTP/1.0 and 1.1 message heads, as views into the caller's bytes (RFC 9112). Pure: bytes in, verdict out.
//
// The parser is strict about everything that two implementations could read differently: such a head is `malformed`
// with the reason in `fault`, and must never travel on a connection that is used for more than one message.
// It accepts what is unusual but has one meaning: bytes above 0x7f in targets and values, identical repeated
// Content-Length, a missing reason phrase, empty lines before a request line, a missing Host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/http/field.h"

namespace lunar::http {

inline constexpr size_t max_head_size = 64 * 1024;

enum class ParseState : uint8_t { complete, incomplete, malformed, too_large };

struct BodyFraming {
  enum class Kind : uint8_t { none, content_length, chunked, until_close };
  Kind kind = Kind::none;
  uint64_t length = 0;  // of content_length
  bool operator==(const BodyFraming&) const = default;
};

// What both kinds of head have. Valid only while the parsed bytes stay where they are.
struct MessageHead {
  uint8_t minor_version = 1;  // 0 or 1
  FieldList fields;
  size_t size = 0;  // bytes up to and with the empty line; set when complete
  BodyFraming framing;
  bool keep_alive = false;       // the sender allows a further message on this connection
  bool upgrade = false;          // Connection: upgrade with an Upgrade field, in HTTP/1.1
  bool has_lunar = false;        // some x-lunar-* field is present
  bool has_hop_by_hop = false;   // some field beside Transfer-Encoding is meant for the next hop only
  bool connection_auth = false;  // NTLM or Negotiate: authenticates the connection, which must not be shared
  const char* fault = nullptr;   // why it is malformed or too large
};

struct RequestHead : MessageHead {
  std::string_view method;
  std::string_view target;  // as sent
  std::string_view host;    // value of Host, empty if absent
  bool expect_continue = false;
};

struct ResponseHead : MessageHead {
  int status = 0;
  std::string_view reason;
  [[nodiscard]] bool interim() const { return status >= 100 && status < 200 && status != 101; }
};

// What a response's framing depends on besides itself.
struct RequestContext {
  bool head = false;     // the request was HEAD
  bool connect = false;  // the request was CONNECT
  bool http10 = false;   // the request was HTTP/1.0: the server keeps the connection only if it says so
};

// May be called with every arrival: a fault is reported as soon as its bytes are there, and the verdict on a prefix
// never contradicts the verdict on the whole. Looks at nothing behind the head. `out` is meaningful when complete,
// its `fault` also when malformed or too large.
[[nodiscard]] ParseState parse_request_head(std::string_view bytes, RequestHead& out);
[[nodiscard]] ParseState parse_response_head(std::string_view bytes, RequestContext request, ResponseHead& out);

// Offset behind the first empty line, or npos; `scanned` is how many bytes an earlier call has seen without success.
[[nodiscard]] size_t find_head_end(std::string_view bytes, size_t scanned);

// Calls visit(option) for every comma-separated, non-empty member of a field value, without surrounding whitespace.
template <class Visit>
void for_each_member(std::string_view value, Visit visit) {
  while (!value.empty()) {
    size_t comma = value.find(',');
    std::string_view member = value.substr(0, comma);
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t')) member.remove_prefix(1);
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t')) member.remove_suffix(1);
    if (!member.empty()) visit(member);
  }
}

// Whether `field` concerns only this hop: one of RFC 9110 §7.6.1, or named by a Connection field of `head`.
// Transfer-Encoding is not counted, because body bytes are relayed in the framing in which they came.
[[nodiscard]] bool is_hop_by_hop(const Field& field, const MessageHead& head);

}  // namespace lunar::http
