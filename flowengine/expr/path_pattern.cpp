#include "flowengine/expr/path_pattern.h"

#include <algorithm>
#include <optional>

namespace lunar {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_unreserved(char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'; }
bool is_plain(char c) { return c > ' ' && c < 0x7F; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The byte of the escape at the front, or -1.
int escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_escape(std::string& out, int byte) {
  constexpr char digits[] = "0123456789ABCDEF";
  out.append({'%', digits[byte / 16], digits[byte % 16]});
}

// Unreserved escapes decoded; RFC 3986 §6.2.2.1 makes escapes that differ in case one, and bytes that should have been
// escaped are.
void append_normal(std::string& out, std::string_view segment) {
  while (!segment.empty()) {
    int byte = escaped_byte(segment);
    size_t taken = byte < 0 ? 1 : 3;
    if (byte < 0 && is_plain(segment[0])) {
      out += segment[0];
    } else if (byte >= 0 && is_unreserved(static_cast<char>(byte))) {
      out += static_cast<char>(byte);
    } else {
      append_escape(out, byte < 0 ? static_cast<uint8_t>(segment[0]) : byte);
    }
    segment.remove_prefix(taken);
  }
}

bool escape_is_normal(std::string_view text) {
  int byte = escaped_byte(text);
  if (byte < 0) return true;
  bool upper = text[1] < 'a' && text[2] < 'a';
  return upper && !is_unreserved(static_cast<char>(byte));
}

// Whether a segment begins here that is neither empty nor, perhaps, one of dots.
bool segment_is_normal(std::string_view rest) {
  if (rest.empty() || rest[0] == '/') return false;
  if (rest[0] != '.') return true;
  return rest.size() > 1 && rest[1] != '/' && rest[1] != '.';
}

// Every request comes here: each byte is looked at once.
bool is_normal(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '/' ? !segment_is_normal(path.substr(i + 1)) : !is_plain(c)) return false;
    if (c == '%' && !escape_is_normal(path.substr(i))) return false;
  }
  return path.starts_with('/');
}

ExpressionFault bad_url(size_t offset, std::string text) { return {offset, std::move(text), "bad-url"}; }

std::optional<ExpressionFault> fault_of(std::string_view segment, size_t offset) {
  if (size_t star = segment.find('*'); star != std::string_view::npos)
    return ExpressionFault{offset + star, "`*` in a path stands for itself only, as the last segment", "bad-wildcard"};
  if (segment.find_first_of("{}") != std::string_view::npos) {
    auto name = parameter_name(segment);
    if (!name || name->empty())
      return bad_url(offset, "a parameter is a whole segment: `{name}`, of letters, digits, `_` and `-`");
  }
  auto wrong = std::ranges::find_if(
      segment, [](char c) { return (static_cast<uint8_t>(c) < 0x80 && !is_plain(c)) || c == '#' || c == '\\'; });
  if (wrong == segment.end()) return std::nullopt;
  return bad_url(offset + static_cast<size_t>(wrong - segment.begin()), "this character cannot stand in a path");
}

}  // namespace

std::string_view normal_path(std::string_view path, std::string& storage) {
  std::string_view trimmed = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  if (trimmed.empty() || is_normal(trimmed)) return trimmed;
  storage.clear();
  while (!path.empty()) {
    std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    size_t start = storage.size();
    storage += '/';
    append_normal(storage, segment);
    std::string_view normal = std::string_view(storage).substr(start + 1);
    bool up = normal == "..";
    if (normal.empty() || normal == "." || up) storage.resize(start);
    if (up) storage.resize(std::min(storage.rfind('/'), storage.size()));
  }
  return storage;
}

std::string_view take_segment(std::string_view& normal) {
  size_t end = std::min(normal.find('/', 1), normal.size());
  std::string_view segment = normal.substr(1, end - 1);
  normal.remove_prefix(end);
  return segment;
}

std::optional<std::string_view> parameter_name(std::string_view piece) {
  if (piece.size() < 2 || piece.front() != '{' || piece.back() != '}') return std::nullopt;
  std::string_view name = piece.substr(1, piece.size() - 2);
  auto continues = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; };
  return std::ranges::all_of(name, continues) ? name : std::string_view();
}

std::expected<PathPattern, ExpressionFault> PathPattern::parse(std::string_view text) {
  PathPattern out;
  if (text.empty()) return out;
  if (!text.starts_with('/')) return std::unexpected(bad_url(0, "a path begins with `/`"));
  out.covers_further_ = false;
  std::string_view rest = text;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  while (!rest.empty()) {
    auto offset = static_cast<size_t>(rest.data() - text.data()) + 1;
    std::string_view segment = take_segment(rest);
    if (segment == "*" && rest.empty()) {
      out.covers_further_ = true;
      break;
    }
    if (auto fault = fault_of(segment, offset)) return std::unexpected(*std::move(fault));
    if (auto name = parameter_name(segment)) {
      out.pieces_.push_back({std::string(*name), true});
      continue;
    }
    std::string normal;
    append_normal(normal, segment);
    if (normal == ".." && !out.pieces_.empty()) out.pieces_.pop_back();
    if (!normal.empty() && normal != "." && normal != "..") out.pieces_.push_back({std::move(normal), false});
  }
  return out;
}

bool PathPattern::matches(std::string_view path) const {
  std::string storage;
  std::string_view rest = normal_path(path, storage);
  for (const PatternPiece& piece : pieces_) {
    if (rest.empty()) return false;
    std::string_view segment = take_segment(rest);
    if (!piece.parameter && segment != piece.text) return false;
  }
  return rest.empty() || covers_further_;
}

void PathPattern::collect_params(std::string_view path, PathParams& out) const {
  std::string storage;
  std::string_view rest = normal_path(path, storage);
  for (const PatternPiece& piece : pieces_) {
    if (rest.empty()) return;
    std::string_view segment = take_segment(rest);
    if (piece.parameter) out.emplace_back(piece.text, segment);
  }
}

}  // namespace lunar
