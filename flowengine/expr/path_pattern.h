// Paths of URL patterns (flows.md §4), and paths of requests in the form in which they are matched.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/expr/syntax_fault.h"
#include "flowengine/message.h"

namespace lunar {

// For matching only: dot segments removed, unreserved escapes decoded, slashes collapsed, none at the end. What the
// text of `path` cannot show is built in `storage`. The root is the empty text.
[[nodiscard]] std::string_view normal_path(std::string_view path, std::string& storage);

// Takes the first segment off a normal path that is not empty.
[[nodiscard]] std::string_view take_segment(std::string_view& normal);

// A label of a host or a segment of a path.
struct PatternPiece {
  std::string text;  // of a literal, or the name of a parameter
  bool parameter = false;
};

// A `{name}`; nothing for other texts, an empty name where the braces are wrong.
[[nodiscard]] std::optional<std::string_view> parameter_name(std::string_view piece);

class PathPattern {
 public:
  // Text that begins with `/`; empty: every path. Faults are `bad-wildcard` or `bad-url`.
  [[nodiscard]] static std::expected<PathPattern, ExpressionFault> parse(std::string_view text);
  PathPattern() = default;  // every path

  [[nodiscard]] const std::vector<PatternPiece>& pieces() const { return pieces_; }
  [[nodiscard]] bool covers_further() const { return covers_further_; }  // ends in `*`
  [[nodiscard]] bool matches(std::string_view path) const;
  void collect_params(std::string_view path, PathParams& out) const;  // of a path that matches

 private:
  std::vector<PatternPiece> pieces_;
  bool covers_further_ = true;
};

}  // namespace lunar
