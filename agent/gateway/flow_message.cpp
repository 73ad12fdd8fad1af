#include "agent/gateway/flow_message.h"

#include <algorithm>
#include <array>
#include <expected>

#include "agent/http/chunks.h"
#include "agent/http/content_coding.h"
#include "agent/http/serializer.h"

namespace lunar::gateway {
namespace {

bool is_lunar_field(std::string_view name) { return http::field_kind(name) == http::FieldKind::lunar; }

// What says how long the body that came is, or how it is coded.
bool describes_body(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"content-length", "transfer-encoding", "content-encoding", "trailer"};
  return std::ranges::any_of(names, [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

void write_fields(const Message& message, bool new_body, std::string& out) {
  for (const HeaderField& field : message.fields) {
    if (field.internal || is_lunar_field(field.name) || (new_body && describes_body(field.name))) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
}

void borrow_fields(const http::FieldList& fields, Message& out) {
  out.fields.clear();
  out.fields.reserve(fields.size() + 1);  // flows often add one
  for (const http::Field& field : fields) out.fields.push_back({field.name, field.value});
}

// Several fields are one list (RFC 9110 §5.3).
std::string content_coding(const Message& message) {
  std::string out;
  for (const HeaderField& field : message.fields)
    if (equal_ignoring_case(field.name, "content-encoding")) out.append(out.empty() ? "" : ", ").append(field.value);
  return out;
}

// In its place, or first where there is none.
void set_host_field(std::string_view value, Message& out) {
  auto is_host = [](const HeaderField& field) { return equal_ignoring_case(field.name, "host"); };
  auto found = std::ranges::find_if(out.fields, is_host);
  if (found != out.fields.end()) {
    found->value = value;
  } else {
    out.fields.insert(out.fields.begin(), {"Host", value});
  }
}

}  // namespace

void borrow_request(const http::RequestHead& head, const RequestFacts& facts, lunar::Request& out) {
  borrow_fields(head.fields, out);
  out.method = head.method;
  out.scheme = facts.scheme;
  out.host = facts.host;
  out.port = facts.port;
  out.transparent = facts.transparent;
  if (!facts.authority.empty()) set_host_field(facts.authority, out);
  std::string_view target = facts.target.substr(0, facts.target.find('#'));
  size_t mark = target.find('?');
  out.path = target.substr(0, mark);
  out.query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
}

void borrow_response(const http::ResponseHead& head, std::string_view bytes, std::string_view copy, Response& out) {
  borrow_fields(head.fields, out);
  auto point_into_copy = [&](std::string_view& text) {
    text = text.empty() ? text : copy.substr(static_cast<size_t>(text.data() - bytes.data()), text.size());
  };
  for (HeaderField& field : out.fields) {
    point_into_copy(field.name);
    point_into_copy(field.value);
  }
  out.status = head.status;
}

void set_body(Message& message, http::BodyFraming framing, std::string_view bytes, size_t limit) {
  if (framing.kind == http::BodyFraming::Kind::none) {
    message.body = message.wire_body = std::string_view{};
    message.size = 0;
    return;
  }
  std::string payload;
  http::PayloadReader(framing).read(bytes, payload);
  message.size = payload.size();
  if (payload.size() > limit) return;
  auto text = http::decode_content(payload, content_coding(message), limit);
  message.text_too_long = text == std::unexpected(http::CodingFault::too_long);
  if (text) message.body = message.keep(*std::move(text));
  message.wire_body = message.keep(std::move(payload));
}

std::string_view why_unseen(const Message& message) {
  if (message.body) return {};
  return message.wire_body && !message.text_too_long ? "coding" : "size";
}

std::string write_request_head(const lunar::Request& request, int minor_version, std::optional<uint64_t> body_length) {
  std::string out(request.method);
  out.append(" ").append(request.path);
  if (!request.query.empty()) out.append("?").append(request.query);
  out.append(" HTTP/1.").append(std::to_string(minor_version)).append("\r\n");
  write_fields(request, body_length.has_value(), out);
  if (body_length) out.append("Content-Length: ").append(std::to_string(*body_length)).append("\r\n");
  return out.append("\r\n");
}

std::string write_response_head(const Response& response, const ResponseLine& line,
                                std::optional<uint64_t> body_length) {
  std::string out = "HTTP/1." + std::to_string(line.minor_version) + " " + std::to_string(response.status) + " ";
  out.append(line.reason.empty() ? http::reason_phrase(response.status) : line.reason).append("\r\n");
  write_fields(response, body_length.has_value(), out);
  if (body_length) out.append("Content-Length: ").append(std::to_string(*body_length)).append("\r\n");
  return out.append(line.extra).append("\r\n");
}

}  // namespace lunar::gateway
