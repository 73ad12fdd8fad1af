// Globs of `processes` and `units`: `*` is any text, `?` one character.
#pragma once

#include <expected>
#include <string_view>

#include "flowengine/expr/regex.h"

namespace lunar {

class Glob {
 public:
  // Fails only for what is too large (`bad-regex`).
  [[nodiscard]] static std::expected<Glob, SyntaxFault> parse(std::string_view text);
  [[nodiscard]] bool matches(std::string_view text) const { return regex_.matches(text); }
  // Globs with a slash are compared with the path of an executable, others with the command name.
  [[nodiscard]] bool names_path() const { return names_path_; }

 private:
  Glob(Regex regex, bool names_path) : regex_(std::move(regex)), names_path_(names_path) {}

  Regex regex_;
  bool names_path_;
};

}  // namespace lunar
