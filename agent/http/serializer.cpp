#include "agent/http/serializer.h"

#include <array>
#include <charconv>
#include <utility>

namespace lunar::http {
namespace {

constexpr std::string_view line_end = "\r\n";

void put_line(Writer& writer, std::string_view name, std::string_view value) {
  for (std::string_view part : {name, std::string_view(": "), value, line_end}) writer.put(part);
}

bool has_member(std::string_view value, std::string_view wanted) {
  bool found = false;
  for_each_member(value, [&](std::string_view member) { found |= equal_ignoring_case(member, wanted); });
  return found;
}

// The upgrade to HTTP/2 would turn the relay opaque for all following requests, and RFC 9113 has withdrawn it.
bool keeps_upgrade(const RequestHead& request) {
  const Field* upgrade = request.fields.find(FieldKind::upgrade);
  return request.upgrade && upgrade != nullptr && !has_member(upgrade->value, "h2c");
}

void put_connection(Writer& writer, std::span<const std::string_view> options) {
  std::string_view separator = "Connection: ";
  for (std::string_view option : options) {
    if (option.empty()) continue;
    writer.put(separator);
    writer.put(option);
    separator = ", ";
  }
  if (separator == ", ") writer.put(line_end);
}

void put_start_line(Writer& writer, const RequestHead& request, std::string_view target) {
  writer.put(request.method);
  writer.put(" ");
  writer.put(target.empty() ? request.target : target);
  writer.put(request.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
}

bool kept_in_request(const Field& field, const RequestHead& request, bool upgrade, bool trailers) {
  if (field.kind == FieldKind::lunar) return false;
  if (field.kind == FieldKind::upgrade) return upgrade;
  if (field.kind == FieldKind::te) return trailers;
  return !is_hop_by_hop(field, request);
}

struct BodyText {
  std::span<const std::string_view> pieces;
  [[nodiscard]] size_t size() const {
    size_t sum = 0;
    for (std::string_view piece : pieces) sum += piece.size();
    return sum;
  }
};

// error_code 0: no failure.
size_t write(const SmallResponse& response, int error_code, BodyText body, std::span<char> out) {
  Writer writer(out);
  bool bodiless = response.status < 200 || response.status == 204;
  writer.put("HTTP/1.1 ");
  writer.put_number(static_cast<uint64_t>(response.status));
  for (std::string_view part : {std::string_view(" "), reason_phrase(response.status), line_end}) writer.put(part);
  if (!bodiless) {
    if (!response.content_type.empty()) put_line(writer, "Content-Type", response.content_type);
    writer.put("Content-Length: ");
    writer.put_number(body.size());
    writer.put(line_end);
  }
  if (error_code != 0) {
    writer.put("x-lunar-error: ");
    writer.put_number(static_cast<uint64_t>(error_code));
    writer.put(line_end);
  }
  writer.put(response.extra);
  put_line(writer, "Connection", response.close ? "close" : "keep-alive");
  writer.put(line_end);
  if (!bodiless && !response.head_only)
    for (std::string_view piece : body.pieces) writer.put(piece);
  return writer.written();
}

constexpr auto phrases = std::to_array<std::pair<int, std::string_view>>({
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {511, "Network Authentication Required"},
});

}  // namespace

void Writer::put_number(uint64_t number) {
  std::array<char, 20> digits;
  auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  put({digits.data(), static_cast<size_t>(end - digits.data())});
}

size_t rewrite_request(std::string_view head, const RequestHead& parsed, const RequestRewrite& rewrite,
                       std::span<char> out) {
  Writer writer(out);
  const Field* te = parsed.fields.find(FieldKind::te);
  bool trailers = te != nullptr && equal_ignoring_case(te->value, "trailers");
  bool upgrade = keeps_upgrade(parsed);
  put_start_line(writer, parsed, rewrite.target);
  if (!rewrite.host.empty() && parsed.fields.find(FieldKind::host) == nullptr) put_line(writer, "Host", rewrite.host);
  for (size_t i = 0; i < parsed.fields.size(); ++i) {
    const Field& field = parsed.fields[i];
    if (field.kind == FieldKind::host && !rewrite.host.empty()) {
      put_line(writer, field.name, rewrite.host);
    } else if (kept_in_request(field, parsed, upgrade, trailers)) {
      writer.put(field_line(head, parsed.fields.span(), i));
    }
  }
  const std::string_view options[] = {upgrade ? "Upgrade" : "", trailers ? "TE" : "",
                                      parsed.minor_version == 0 && parsed.keep_alive ? "keep-alive" : ""};
  put_connection(writer, options);
  writer.put(rewrite.extra);
  writer.put(line_end);
  return writer.written();
}

size_t rewrite_response(std::string_view head, const ResponseHead& parsed, std::string_view connection,
                        std::span<char> out, std::string_view extra) {
  Writer writer(out);
  bool no_fields = parsed.fields.empty();
  const char* first = no_fields ? head.data() + head.size() - 2 : parsed.fields[0].name.data();
  writer.put({head.data(), static_cast<size_t>(first - head.data())});
  for (size_t i = 0; i < parsed.fields.size(); ++i) {
    const Field& field = parsed.fields[i];
    bool accepted_upgrade = field.kind == FieldKind::upgrade && parsed.upgrade;
    if (is_gateway_claim(field) || (is_hop_by_hop(field, parsed) && !accepted_upgrade)) continue;
    writer.put(field_line(head, parsed.fields.span(), i));
  }
  const std::string_view options[] = {parsed.upgrade ? "Upgrade" : "", connection};
  put_connection(writer, options);
  writer.put(extra);
  writer.put(line_end);
  return writer.written();
}

bool is_gateway_claim(const Field& field) {
  return field.kind == FieldKind::lunar &&
         (equal_ignoring_case(field.name, "x-lunar-error") || equal_ignoring_case(field.name, "x-lunar-generated"));
}

size_t write_response(const SmallResponse& response, std::span<char> out) {
  const std::string_view body[] = {response.body};
  return write(response, 0, {body}, out);
}

size_t write_gateway_error(const GatewayError& error, std::span<char> out) {
  SmallResponse response;
  response.status = error.status;
  response.extra = error.extra;
  response.close = error.close;
  response.head_only = error.head_only;
  bool with_id = !error.request_id.empty();
  const std::string_view body[] = {error.text, with_id ? " (request " : "", error.request_id, with_id ? ")\n" : "\n"};
  return write(response, error.code, {body}, out);
}

std::string_view reason_phrase(int status) {
  for (const auto& [known, phrase] : phrases)
    if (known == status) return phrase;
  return "Status";
}

}  // namespace lunar::http
