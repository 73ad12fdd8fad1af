#include "flowengine/spec/reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "flowengine/spelling.h"

namespace lunar {
namespace {

using ScalarType = Value::ScalarType;

std::string_view without_plus(std::string_view text) { return text.starts_with('+') ? text.substr(1) : text; }

template <class Number, class... Format>
std::optional<Number> convert(std::string_view text, Format... format) {
  Number out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, format...);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<int64_t> to_integer(std::string_view text) {
  if (text.starts_with("0o")) return convert<int64_t>(text.substr(2), 8);
  if (text.starts_with("0x")) return convert<int64_t>(text.substr(2), 16);
  return convert<int64_t>(without_plus(text));
}

std::optional<double> to_number(std::string_view text) {
  if (auto whole = to_integer(text)) return static_cast<double>(*whole);
  std::string_view rest = without_plus(text);
  bool special = rest.find_first_of("nN") != std::string_view::npos;  // .inf, .nan and the words for them
  auto value = special ? std::nullopt : convert<double>(rest);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<int64_t> integral(double value) {
  constexpr double exact = 9007199254740992.0;  // 2^53: above, a double no longer names one integer
  if (value != std::floor(value) || std::abs(value) > exact) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<bool> to_boolean(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::string number_text(double value) {
  std::array<char, 32> out;
  const bool plain = value == std::floor(value) && std::abs(value) < 1e15;
  auto [end, error] = plain ? std::to_chars(out.data(), out.data() + out.size(), value, std::chars_format::fixed)
                            : std::to_chars(out.data(), out.data() + out.size(), value);
  return {out.data(), end};
}

template <class Number>
std::string range_text(Range<Number> range, std::string (*text)(Number)) {
  bool open = range.high == std::numeric_limits<Number>::max();
  if (range.low > 0 && range.low < 1e-6) return "above 0" + (open ? "" : " and at most " + text(range.high));
  return open ? text(range.low) + " or more" : "between " + text(range.low) + " and " + text(range.high);
}

std::string integer_text(int64_t value) { return std::to_string(value); }

}  // namespace

std::string describe(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::map:
      return "a mapping";
    case Value::Kind::scalar:
      break;
  }
  constexpr size_t longest = 80;
  std::string shown = value.text.size() > longest ? value.text.substr(0, longest) + "..." : value.text;
  std::ranges::replace_if(shown, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return value.type == ScalarType::string ? "\"" + shown + "\"" : shown;
}

void Reader::add(Position at, Severity severity, std::string_view id, std::string text) {
  out_.add({file_, at, severity, std::string(id), std::move(text)});
}

void Reader::bad_type(const Value& value, std::string_view wanted) {
  error(value.at, "bad-type", "expected " + std::string(wanted) + ", found " + describe(value));
}

void Reader::coerced(const Value& value, std::string_view used) {
  warn(value.at, "coerced", describe(value) + " is read as " + std::string(used));
}

std::optional<int64_t> Reader::integer(const Value& value, Range<int64_t> range) {
  std::optional<int64_t> out;
  if (value.kind == Value::Kind::scalar) {
    auto as_number = to_number(value.text);
    out = to_integer(value.text);
    if (!out && as_number) out = integral(*as_number);
  }
  if (!out) {
    bad_type(value, "an integer");
    return std::nullopt;
  }
  if (*out < range.low || *out > range.high) {
    error(value.at, "out-of-range", describe(value) + " is not " + range_text(range, integer_text));
    return std::nullopt;
  }
  if (value.type != ScalarType::integer) coerced(value, std::to_string(*out));
  return out;
}

std::optional<double> Reader::number(const Value& value, Range<double> range) {
  auto out = value.kind == Value::Kind::scalar ? to_number(value.text) : std::nullopt;
  if (!out) {
    bad_type(value, "a number");
    return std::nullopt;
  }
  if (*out < range.low || *out > range.high) {
    error(value.at, "out-of-range", describe(value) + " is not " + range_text(range, number_text));
    return std::nullopt;
  }
  if (value.type != ScalarType::integer && value.type != ScalarType::number) coerced(value, number_text(*out));
  return out;
}

std::optional<bool> Reader::boolean(const Value& value) {
  auto out = value.kind == Value::Kind::scalar ? to_boolean(value.text) : std::nullopt;
  if (!out) {
    bad_type(value, "true or false");
    return std::nullopt;
  }
  if (value.type != ScalarType::boolean) coerced(value, *out ? "true" : "false");
  return out;
}

std::optional<std::string> Reader::string(const Value& value, Coercion coercion) {
  if (value.kind != Value::Kind::scalar) {
    bad_type(value, "a text");
    return std::nullopt;
  }
  if (value.type != ScalarType::string && coercion == Coercion::warns)
    coerced(value, "the text \"" + value.text + "\"");
  return value.text;
}

std::optional<std::vector<const Value*>> Reader::list(const Value& value, Coercion coercion) {
  if (value.kind == Value::Kind::scalar) {
    if (coercion == Coercion::warns) coerced(value, "a list of one");
    return std::vector<const Value*>{&value};
  }
  if (value.kind != Value::Kind::list) {
    bad_type(value, "a list");
    return std::nullopt;
  }
  std::vector<const Value*> out;
  for (const Value& item : value.items)
    if (item.kind != Value::Kind::null) out.push_back(&item);
  return out;
}

std::optional<std::vector<std::string>> Reader::strings(const Value& value, Coercion coercion) {
  auto items = list(value, coercion);
  if (!items) return std::nullopt;
  std::vector<std::string> out;
  for (const Value* item : *items) {
    auto text = string(*item);
    if (!text) return std::nullopt;
    out.push_back(*std::move(text));
  }
  return out;
}

std::optional<size_t> Reader::choice(const Value& value, std::span<const std::string_view> names) {
  auto text = string(value);
  if (!text) return std::nullopt;
  auto found = std::ranges::find(names, *text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  std::string listed;
  for (std::string_view name : names) listed += (listed.empty() ? "" : ", ") + std::string(name);
  error(value.at, "out-of-range", describe(value) + " is not one of " + listed);
  return std::nullopt;
}

bool Reader::map(const Value& value) {
  if (value.kind == Value::Kind::map) return true;
  bad_type(value, "a mapping");
  return false;
}

void Reader::warn_unknown_keys(const Value& map, std::span<const std::string_view> known) {
  for (const Entry& entry : map.entries) {
    if (std::ranges::find(known, entry.key) != known.end()) continue;
    std::string_view near = nearest_name(entry.key, known);
    std::string hint = near.empty() ? "" : "; did you mean `" + std::string(near) + "`?";
    warn(entry.key_at, "unknown-key", "`" + entry.key + "` is not known here and has no effect" + hint);
  }
}

}  // namespace lunar
