#include "flowengine/expr/glob.h"

#include <string>

namespace lunar {

std::expected<Glob, SyntaxFault> Glob::parse(std::string_view text) {
  constexpr std::string_view special = "\\^$.|+()[]{}";
  std::string pattern = "(?s)";  // a dot is a line end too
  for (char c : text) {
    if (c == '*') {
      pattern += "\\C*";  // of bytes: paths need not be UTF-8
    } else if (c == '?') {
      pattern += '.';
    } else {
      if (special.find(c) != std::string_view::npos) pattern += '\\';
      pattern += c;
    }
  }
  auto regex = Regex::compile(pattern);
  if (!regex) return std::unexpected(SyntaxFault{0, "the pattern is too large or not UTF-8"});
  return Glob(*std::move(regex), text.find('/') != std::string_view::npos);
}

}  // namespace lunar
