#include "agent/http/sniff.h"

#include <algorithm>

#include "agent/http/chars.h"
#include "agent/http/field.h"

namespace lunar::http {
namespace {

constexpr size_t longest_method = 32;

Sniff starts_like(std::string_view text, std::string_view wanted) {
  size_t common = std::min(text.size(), wanted.size());
  if (!equal_ignoring_case(text.substr(0, common), wanted.substr(0, common))) return Sniff::no;
  return common == wanted.size() ? Sniff::yes : Sniff::need_more;
}

// A target is a path, an asterisk, or an absolute URI of HTTP: other protocols have commands of the same shape
// ("GET key", "OPTIONS rtsp://..."). Only CONNECT names an authority.
Sniff looks_like_target(std::string_view method, std::string_view target) {
  if (target.empty()) return Sniff::need_more;
  if (method == "PRI" && target.front() == '*') return Sniff::no;
  if (target.front() == '/' || target.front() == '*') return Sniff::yes;
  if (method == "CONNECT") return is_target_byte(target.front()) ? Sniff::yes : Sniff::no;
  Sniff plain = starts_like(target, "http:");
  Sniff secure = starts_like(target, "https:");
  if (plain == Sniff::yes || secure == Sniff::yes) return Sniff::yes;
  return plain == Sniff::need_more || secure == Sniff::need_more ? Sniff::need_more : Sniff::no;
}

}  // namespace

Sniff looks_like_http(std::string_view first_bytes) {
  size_t at = 0;
  while (first_bytes.substr(at).starts_with("\r\n")) at += 2;
  std::string_view rest = first_bytes.substr(at);
  if (rest.empty() || rest == "\r") return at > longest_method ? Sniff::no : Sniff::need_more;
  size_t length = 0;
  while (length < rest.size() && is_token_byte(rest[length])) ++length;
  if (length > longest_method) return Sniff::no;
  if (length == rest.size()) return Sniff::need_more;
  if (length == 0 || rest[length] != ' ') return Sniff::no;
  return looks_like_target(rest.substr(0, length), rest.substr(length + 1));
}

}  // namespace lunar::http
