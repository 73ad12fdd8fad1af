// Messages between the bytes of HTTP/1 and the form in which flows see them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/http/head.h"
#include "flowengine/message.h"

namespace lunar::gateway {

// Where the request goes and how it came, beside its head.
struct RequestFacts {
  Scheme scheme = Scheme::http;
  std::string_view host;       // without port, as a name or an address
  std::string_view target;     // in origin-form
  std::string_view authority;  // for the field Host, where that may say something else; empty: it is right
  uint16_t port = 80;
  bool transparent = false;
};

// `out` borrows from `head`: see Request::own(). Its method must be in upper case, as HTTP methods are.
void borrow_request(const http::RequestHead& head, const RequestFacts& facts, lunar::Request& out);
// `head` was parsed of `bytes`; `out` borrows from `copy`, which is the same text.
void borrow_response(const http::ResponseHead& head, std::string_view bytes, std::string_view copy, Response& out);

// A body that is there whole, in the framing in which it came: its payload, size and decoded view. What is above
// `limit` stays missing, be it the payload or the text alone. `message` borrows nothing.
void set_body(Message& message, http::BodyFraming framing, std::string_view bytes, size_t limit);
// Why the view of a body that has come is missing, as a word for metrics; empty: it is there.
[[nodiscard]] std::string_view why_unseen(const Message& message);
// What framing may add to a payload of the limit.
inline constexpr size_t framing_allowance = size_t{64} * 1024;

// The head as it goes out. `minor_version` is the client's. x-lunar-* fields stay behind; `body_length` is given where
// the body is not the one that came.
[[nodiscard]] std::string write_request_head(const lunar::Request& request, int minor_version,
                                             std::optional<uint64_t> body_length);
// `reason` where the status is still the provider's. `extra` are complete field lines.
struct ResponseLine {
  std::string_view reason;
  int minor_version = 1;
  std::string_view extra;
};
[[nodiscard]] std::string write_response_head(const Response& response, const ResponseLine& line,
                                              std::optional<uint64_t> body_length);

}  // namespace lunar::gateway
