#include "flowengine/spec/value.h"

#include <algorithm>

namespace lunar {
namespace {

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_sign(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

size_t leading_digits(std::string_view text) {
  auto end = std::ranges::find_if_not(text, is_digit);
  return static_cast<size_t>(end - text.begin());
}

bool is_integer(std::string_view text) {
  auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  if (text.size() > 2 && text.starts_with("0o")) return std::ranges::all_of(text.substr(2), is_octal);
  if (text.size() > 2 && text.starts_with("0x")) return std::ranges::all_of(text.substr(2), is_hex);
  std::string_view digits = without_sign(text);
  return !digits.empty() && std::ranges::all_of(digits, is_digit);
}

// [-+]? ( . digits | digits [. digits] ) [e [-+]? digits]
bool is_number(std::string_view text) {
  std::string_view rest = without_sign(text);
  if (one_of(rest, {".inf", ".Inf", ".INF"}) || one_of(text, {".nan", ".NaN", ".NAN"})) return true;
  size_t whole = leading_digits(rest);
  rest.remove_prefix(whole);
  size_t decimals = 0;
  if (rest.starts_with('.')) {
    decimals = leading_digits(rest.substr(1));
    rest.remove_prefix(1 + decimals);
  }
  if (whole + decimals == 0) return false;
  if (rest.empty()) return true;
  if (rest.front() != 'e' && rest.front() != 'E') return false;
  std::string_view exponent = without_sign(rest.substr(1));
  return !exponent.empty() && leading_digits(exponent) == exponent.size();
}

}  // namespace

const Entry* Value::find(std::string_view key) const {
  auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

const Value* Value::get(std::string_view key) const {
  const Entry* entry = find(key);
  return entry == nullptr || entry->value.kind == Kind::null ? nullptr : &entry->value;
}

bool is_plain_null(std::string_view text) { return one_of(text, {"", "~", "null", "Null", "NULL"}); }

Value::ScalarType plain_scalar_type(std::string_view text) {
  if (one_of(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) return Value::ScalarType::boolean;
  if (is_integer(text)) return Value::ScalarType::integer;
  return is_number(text) ? Value::ScalarType::number : Value::ScalarType::string;
}

}  // namespace lunar
