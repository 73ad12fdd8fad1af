#include "agent/admin/http_request.h"

#include <algorithm>
#include <utility>

#include "agent/http/head.h"

namespace lunar::admin {
namespace {

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const int high = escape ? hex_digit(text[i + 1]) : -1;
    const int low = escape ? hex_digit(text[i + 2]) : -1;
    if (high >= 0 && low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

std::string HttpRequest::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return decoded(pair.substr(std::min(equals + 1, pair.size())));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

size_t RequestReader::feed(std::string_view bytes) {
  size_t taken = 0;
  if (!head_known_ && head_.empty()) {  // RFC 9112 §2.2: empty lines before a request line are ignored
    taken = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
  }
  if (!head_known_ && state_ == State::incomplete) {
    const size_t before = head_.size();
    head_.append(bytes.substr(taken, kHeadLimit + 1 - before));
    const size_t end = http::find_head_end(head_, scanned_);
    scanned_ = head_.size();
    if (end == std::string::npos) {
      if (head_.size() > kHeadLimit) refuse(431);
      return taken + head_.size() - before;
    }
    taken += end - before;
    head_.resize(end);
    read_head();
  }
  if (head_known_ && state_ == State::incomplete) {
    const size_t part = std::min(body_left_, bytes.size() - taken);
    request_.body.append(bytes, taken, part);
    body_left_ -= part;
    taken += part;
    if (body_left_ == 0) state_ = State::complete;
  }
  return taken;
}

void RequestReader::read_head() {
  http::RequestHead parsed;
  const http::ParseState verdict = http::parse_request_head(head_, parsed);
  if (verdict == http::ParseState::too_large) return refuse(431);
  if (verdict != http::ParseState::complete || !parsed.target.starts_with('/')) return refuse(400);
  if (parsed.framing.kind == http::BodyFraming::Kind::chunked) return refuse(411);
  if (parsed.framing.length > body_limit_) return refuse(413);

  const size_t question = std::min(parsed.target.find('?'), parsed.target.size());
  request_.method = parsed.method;
  request_.path = parsed.target.substr(0, question);
  request_.query = parsed.target.substr(std::min(question + 1, parsed.target.size()));
  request_.keep_alive = parsed.keep_alive;
  request_.http10 = parsed.minor_version == 0;
  if (const http::Field* field = parsed.fields.find(http::FieldKind::authorization)) {
    request_.authorization = field->value;
  }
  body_left_ = parsed.framing.kind == http::BodyFraming::Kind::content_length ? parsed.framing.length : 0;
  wants_continue_ = parsed.expect_continue && body_left_ != 0;
  head_known_ = true;
}

void RequestReader::refuse(int status) {
  state_ = State::refused;
  refusal_ = status;
}

bool RequestReader::take_continue() {
  const bool wanted = wants_continue_ && state_ == State::incomplete && request_.body.empty();
  return std::exchange(wants_continue_, false) && wanted;
}

HttpRequest RequestReader::take() {
  HttpRequest request = std::move(request_);
  *this = RequestReader(body_limit_);
  return request;
}

}  // namespace lunar::admin
