// Heads on their way out: the original bytes with as few changes as possible, and small answers of our own.
// Everything writes into the caller's buffer and returns the bytes written, or 0 when they do not fit.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "agent/http/head.h"

namespace lunar::http {

// Appends to a fixed buffer; once something did not fit, written() is 0.
class Writer {
 public:
  explicit Writer(std::span<char> out) : out_(out) {}

  void put(std::string_view text) {
    fits_ = fits_ && text.size() <= out_.size() - written_;
    if (!fits_ || text.empty()) return;
    memcpy(out_.data() + written_, text.data(), text.size());
    written_ += text.size();
  }
  void put_number(uint64_t number);

  [[nodiscard]] size_t written() const { return fits_ ? written_ : 0; }

 private:
  std::span<char> out_;
  size_t written_ = 0;
  bool fits_ = true;
};

// The bytes of one field line with its line end. `head` is the parsed text (MessageHead::size bytes), `fields` all of
// its fields.
[[nodiscard]] inline std::string_view field_line(std::string_view head, std::span<const Field> fields, size_t index) {
  const char* begin = fields[index].name.data();
  const char* end = index + 1 < fields.size() ? fields[index + 1].name.data() : head.data() + head.size() - 2;
  return {begin, static_cast<size_t>(end - begin)};
}

// Byte for byte the head without the field lines for which drop(field) is true, and with `extra` (complete lines)
// before the empty line. Needs at most head.size() + extra.size() bytes.
template <class Drop>
[[nodiscard]] size_t copy_without(std::string_view head, const FieldList& fields, Drop drop, std::span<char> out,
                                  std::string_view extra = {}) {
  Writer writer(out);
  const char* kept = head.data();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!drop(fields[i])) continue;
    std::string_view line = field_line(head, fields.span(), i);
    writer.put({kept, static_cast<size_t>(line.data() - kept)});
    kept = line.data() + line.size();
  }
  const char* empty_line = head.data() + head.size() - 2;
  writer.put({kept, static_cast<size_t>(empty_line - kept)});
  writer.put(extra);
  writer.put({empty_line, 2});
  return writer.written();
}

// A request of an explicit mode for its provider: another target, another Host, without x-lunar-* and hop-by-hop
// fields. Order, names, case and values of everything else stay. An upgrade, `TE: trailers` and HTTP/1.0 keep-alive
// are offered anew in one Connection field, because the gateway honours them on the next hop as well.
struct RequestRewrite {
  std::string_view target;  // empty: as it was sent
  std::string_view host;    // empty: as it was sent; else in the place of Host, or first where there was none
  std::string_view extra;   // complete lines, before the empty line
};
[[nodiscard]] size_t rewrite_request(std::string_view head, const RequestHead& parsed, const RequestRewrite& rewrite,
                                     std::span<char> out);
[[nodiscard]] inline size_t rewritten_size_limit(std::string_view head, const RequestRewrite& rewrite) {
  return head.size() + rewrite.target.size() + rewrite.host.size() + rewrite.extra.size() + 64;
}

// A response for a client of an explicit mode: without x-lunar-error, x-lunar-generated and hop-by-hop fields;
// `connection` (close, keep-alive or empty) becomes the Connection field, beside an accepted upgrade. Needs at most
// head.size() + extra.size() + 64 bytes.
[[nodiscard]] size_t rewrite_response(std::string_view head, const ResponseHead& parsed, std::string_view connection,
                                      std::span<char> out, std::string_view extra = {});

// x-lunar-error and x-lunar-generated mean that the gateway answered; a provider cannot claim that.
[[nodiscard]] bool is_gateway_claim(const Field& field);

// A complete answer made by the gateway. The body is left out where the request was HEAD, its length is not.
struct SmallResponse {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view extra;  // complete field lines
  std::string_view body;
  bool close = false;
  bool head_only = false;
};
[[nodiscard]] size_t write_response(const SmallResponse& response, std::span<char> out);

// The answer for a failure of the gateway: x-lunar-error, and one line of text with the request id.
struct GatewayError {
  int status = 503;
  int code = 0;  // of x-lunar-error
  std::string_view text;
  std::string_view request_id;
  std::string_view extra;  // complete field lines
  bool close = false;
  bool head_only = false;
};
[[nodiscard]] size_t write_gateway_error(const GatewayError& error, std::span<char> out);

[[nodiscard]] std::string_view reason_phrase(int status);

}  // namespace lunar::http
