#include "flowengine/expr/jsonpath_scanner.h"

#include <charconv>
#include <utility>

#include "flowengine/expr/code_point.h"
#include "flowengine/expr/number.h"

namespace lunar::jsonpath {
namespace {

constexpr int64_t largest_integer = (int64_t{1} << 53) - 1;  // RFC 9535 §2.1, as in I-JSON

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool begins_name(char c) {
  return is_small(c) || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
// The hyphen is an extension: names of header fields have it.
bool continues_name(char c) { return begins_name(c) || is_digit(c) || c == '-'; }

}  // namespace

bool Scanner::take(std::string_view token) {
  if (!text_.substr(at_).starts_with(token)) return false;
  at_ += token.size();
  return true;
}

void Scanner::skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size()); }

void Scanner::fail(size_t offset, std::string text) {
  if (!fault_) fault_ = SyntaxFault{offset, std::move(text)};
}

void Scanner::unexpected(std::string_view wanted) {
  std::string found = done() ? "the text ends" : "found `" + std::string(1, peek()) + "`";
  if (!done() && (static_cast<unsigned char>(peek()) >= 0x80 || peek() < ' ')) found = "found another character";
  fail(at_, "expected " + std::string(wanted) + ", " + found);
}

bool Scanner::at_member_name() const { return !done() && begins_name(peek()); }

std::string Scanner::member_name() {
  size_t start = at_;
  while (!done() && continues_name(peek())) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

std::string Scanner::function_name() {
  size_t start = at_;
  while (is_small(peek()) || (at_ > start && (is_digit(peek()) || peek() == '_'))) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

std::optional<uint32_t> Scanner::code_unit() {
  uint32_t unit = 0;
  std::string_view digits = text_.substr(at_, 4);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) {
    fail(at_, "expected four hexadecimal digits");
    return std::nullopt;
  }
  at_ += 4;
  return unit;
}

// Behind the backslash.
std::optional<std::string> Scanner::escape(char quote) {
  constexpr std::string_view names = "bfnrt/\\";
  constexpr std::string_view meanings = "\b\f\n\r\t/\\";
  size_t start = at_ - 1;
  char name = peek();
  if (name == quote && !done()) return ++at_, std::string(1, quote);
  size_t known = done() ? std::string_view::npos : names.find(name);
  if (known != std::string_view::npos) return ++at_, std::string(1, meanings[known]);
  if (!take("u")) return fail(start, "no such escape in a string"), std::nullopt;
  auto unit = code_unit();
  if (!unit) return std::nullopt;
  if (*unit < 0xD800 || *unit > 0xDFFF) return utf8(*unit);
  std::optional<uint32_t> low;
  if (*unit < 0xDC00 && take("\\u")) low = code_unit();
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return fail(start, "half of a surrogate pair"), std::nullopt;
  return utf8(0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
}

std::optional<std::string> Scanner::quoted() {
  size_t start = at_;
  char quote = text_[at_++];
  std::string out;
  while (!done()) {
    char c = text_[at_++];
    if (c == quote) return out;
    if (static_cast<unsigned char>(c) < 0x20) return fail(at_ - 1, "control character in a string"), std::nullopt;
    if (c != '\\') {
      out += c;
      continue;
    }
    auto meaning = escape(quote);
    if (!meaning) return std::nullopt;
    out += *meaning;
  }
  fail(start, "the string is not closed");
  return std::nullopt;
}

bool Scanner::digits() {
  size_t start = at_;
  while (is_digit(peek())) ++at_;
  if (at_ == start) unexpected("a digit");
  return at_ > start;
}

std::optional<int64_t> Scanner::integer() {
  size_t start = at_;
  bool negative = take("-");
  if (peek() == '0' && (negative || is_digit(peek(1))))
    return fail(start, negative ? "an integer does not begin with -0" : "an integer has no leading zero"), std::nullopt;
  if (!digits()) return std::nullopt;
  auto value = integral_number(text_.substr(start, at_ - start));
  if (!value || *value > largest_integer || *value < -largest_integer)
    return fail(start, "the integer is not between -(2^53)+1 and (2^53)-1"), std::nullopt;
  return value;
}

std::optional<Json> Scanner::number() {
  size_t start = at_;
  take("-");
  if (peek() == '0' && is_digit(peek(1))) return fail(start, "a number has no leading zero"), std::nullopt;
  if (!digits()) return std::nullopt;
  bool integral = true;
  if (peek() == '.') {
    ++at_, integral = false;
    if (!digits()) return std::nullopt;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at_, integral = false;
    if (!take("-")) take("+");
    if (!digits()) return std::nullopt;
  }
  std::string_view text = text_.substr(start, at_ - start);
  if (auto whole = integral_number(text); whole && integral) return Json(*whole);
  if (auto decimal = decimal_number(text)) return Json(*decimal);
  fail(start, "the number is out of range");
  return std::nullopt;
}

}  // namespace lunar::jsonpath
