#include "agent/http/head.h"

#include <bit>

#include "agent/http/chars.h"
#include "agent/http/message_rules.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lunar::http {
namespace {

enum class Step : uint8_t { ok, incomplete, malformed };

struct Cursor {
  const char* at;
  const char* end;
  const char* fault = nullptr;

  [[nodiscard]] bool empty() const { return at == end; }
  [[nodiscard]] Step refuse(const char* why) {
    fault = why;
    return Step::malformed;
  }
};

// The first byte that a field value may not contain, which in a good head is the CR at its end.
const char* find_value_end(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i highest_control = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i tab = _mm_set1_epi8('\t');
  while (end - at >= 16) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, highest_control), bytes);
    __m128i refused = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control), _mm_cmpeq_epi8(bytes, del));
    auto mask = static_cast<unsigned>(_mm_movemask_epi8(refused));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 16;
  }
#endif
  while (at != end && is_value_byte(*at)) ++at;
  return at;
}

template <size_t Size>
Step expect(Cursor& cursor, const char (&literal)[Size], const char* fault) {
  for (size_t i = 0; i + 1 < Size; ++i) {
    if (cursor.empty()) return Step::incomplete;
    if (*cursor.at != literal[i]) return cursor.refuse(fault);
    ++cursor.at;
  }
  return Step::ok;
}

Step expect_line_end(Cursor& cursor) {
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at == '\n') return cursor.refuse("line ends with a bare LF");
  if (*cursor.at != '\r') return cursor.refuse("control character");
  if (cursor.end - cursor.at < 2) return Step::incomplete;
  if (cursor.at[1] != '\n') return cursor.refuse("bare CR");
  cursor.at += 2;
  return Step::ok;
}

Step parse_version(Cursor& cursor, MessageHead& head) {
  if (Step step = expect(cursor, "HTTP/1.", "not HTTP/1"); step != Step::ok) return step;
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at != '0' && *cursor.at != '1') return cursor.refuse("version is neither HTTP/1.0 nor HTTP/1.1");
  head.minor_version = static_cast<uint8_t>(*cursor.at - '0');
  ++cursor.at;
  return Step::ok;
}

Step parse_request_line(Cursor& cursor, RequestHead& head) {
  const char* method = cursor.at;
  while (!cursor.empty() && is_token_byte(*cursor.at)) ++cursor.at;
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at != ' ' || cursor.at == method) return cursor.refuse("method is not a token followed by one space");
  head.method = {method, cursor.at};
  const char* target = ++cursor.at;
  while (!cursor.empty() && is_target_byte(*cursor.at)) ++cursor.at;
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at != ' ' || cursor.at == target) return cursor.refuse("request target is not followed by one space");
  head.target = {target, cursor.at};
  ++cursor.at;
  if (Step step = parse_version(cursor, head); step != Step::ok) return step;
  return expect_line_end(cursor);
}

Step parse_status_line(Cursor& cursor, ResponseHead& head) {
  if (Step step = parse_version(cursor, head); step != Step::ok) return step;
  if (Step step = expect(cursor, " ", "version is not followed by one space"); step != Step::ok) return step;
  int status = 0;
  for (int digit = 0; digit < 3; ++digit, ++cursor.at) {
    if (cursor.empty()) return Step::incomplete;
    if (*cursor.at < '0' || *cursor.at > '9') return cursor.refuse("status is not three digits");
    status = status * 10 + (*cursor.at - '0');
  }
  if (status < 100) return cursor.refuse("status below 100");
  head.status = status;
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at == ' ') {
    const char* reason = ++cursor.at;
    cursor.at = find_value_end(cursor.at, cursor.end);
    head.reason = {reason, cursor.at};
  } else if (is_value_byte(*cursor.at)) {
    return cursor.refuse("status is not three digits");
  }
  return expect_line_end(cursor);
}

Step refuse_name(Cursor& cursor, const char* name) {
  if (cursor.at == name && is_blank(*name)) return cursor.refuse("folded field line");
  if (cursor.at == name && *name == ':') return cursor.refuse("empty field name");
  if (is_blank(*cursor.at)) return cursor.refuse("whitespace before the colon");
  return cursor.refuse("invalid byte in a field name");
}

Step parse_field_line(Cursor& cursor, FieldList& fields) {
  const char* name = cursor.at;
  while (!cursor.empty() && is_token_byte(*cursor.at)) ++cursor.at;
  if (cursor.empty()) return Step::incomplete;
  if (*cursor.at != ':' || cursor.at == name) return refuse_name(cursor, name);
  std::string_view name_view(name, cursor.at);
  ++cursor.at;
  while (!cursor.empty() && is_blank(*cursor.at)) ++cursor.at;
  const char* value = cursor.at;
  cursor.at = find_value_end(cursor.at, cursor.end);
  const char* value_end = cursor.at;
  if (Step step = expect_line_end(cursor); step != Step::ok) return step;
  while (value_end != value && is_blank(value_end[-1])) --value_end;
  fields.add({name_view, {value, value_end}, field_kind(name_view)});
  return Step::ok;
}

Step parse_fields(Cursor& cursor, FieldList& fields) {
  while (true) {
    if (cursor.empty()) return Step::incomplete;
    if (*cursor.at == '\r' || *cursor.at == '\n') return expect_line_end(cursor);
    if (Step step = parse_field_line(cursor, fields); step != Step::ok) return step;
  }
}

void reset(MessageHead& head) {
  head.fields.clear();
  head.size = 0;
  head.framing = {};
  head.keep_alive = head.upgrade = head.has_lunar = head.has_hop_by_hop = head.connection_auth = false;
  head.fault = nullptr;
}

Step judged(Cursor& cursor, const char* fault) { return fault == nullptr ? Step::ok : cursor.refuse(fault); }

ParseState verdict(Step step, const Cursor& cursor, std::string_view bytes, MessageHead& head) {
  head.fault = cursor.fault;
  if (step == Step::malformed) return ParseState::malformed;
  if (step == Step::ok) {
    head.size = static_cast<size_t>(cursor.at - bytes.data());
    return ParseState::complete;
  }
  if (bytes.size() < max_head_size) return ParseState::incomplete;
  head.fault = "head above 64 KiB";
  return ParseState::too_large;
}

Cursor start(std::string_view bytes) {
  return {bytes.data(), bytes.data() + (bytes.size() < max_head_size ? bytes.size() : max_head_size)};
}

// RFC 9112 §2.2: some old clients send an empty line behind a body.
Step skip_empty_lines(Cursor& cursor) {
  while (!cursor.empty() && *cursor.at == '\r')
    if (Step step = expect_line_end(cursor); step != Step::ok) return step;
  return Step::ok;
}

}  // namespace

ParseState parse_request_head(std::string_view bytes, RequestHead& out) {
  reset(out);
  out.host = {};
  out.expect_continue = false;
  Cursor cursor = start(bytes);
  Step step = skip_empty_lines(cursor);
  if (step == Step::ok) step = parse_request_line(cursor, out);
  if (step == Step::ok) step = parse_fields(cursor, out.fields);
  if (step == Step::ok) step = judged(cursor, apply_request_rules(out));
  return verdict(step, cursor, bytes, out);
}

ParseState parse_response_head(std::string_view bytes, RequestContext request, ResponseHead& out) {
  reset(out);
  out.reason = {};
  Cursor cursor = start(bytes);
  Step step = parse_status_line(cursor, out);
  if (step == Step::ok) step = parse_fields(cursor, out.fields);
  if (step == Step::ok) step = judged(cursor, apply_response_rules(request, out));
  return verdict(step, cursor, bytes, out);
}

size_t find_head_end(std::string_view bytes, size_t scanned) {
  size_t start_line = 0;
  while (bytes.substr(start_line).starts_with("\r\n")) start_line += 2;
  size_t resume = scanned > 3 ? scanned - 3 : 0;
  size_t found = bytes.find("\r\n\r\n", resume > start_line ? resume : start_line);
  return found == std::string_view::npos ? found : found + 4;
}

}  // namespace lunar::http
