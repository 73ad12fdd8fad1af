// Regular expressions that take linear time on any text, whoever wrote the text or the pattern.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "flowengine/expr/syntax_fault.h"

namespace lunar {

class Regex {
 public:
  enum class Case : uint8_t { sensitive, ignored };

  [[nodiscard]] static std::expected<Regex, SyntaxFault> compile(std::string_view pattern,
                                                                 Case letters = Case::sensitive);
  [[nodiscard]] bool search(std::string_view text) const;   // somewhere in the text
  [[nodiscard]] bool matches(std::string_view text) const;  // the text as a whole

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  std::shared_ptr<const Program> program_;
};

// RFC 9485 in the syntax of Regex: a dot is no line end. `^` and `$` stay the anchors that everybody takes them for.
[[nodiscard]] std::string interoperable_pattern(std::string_view pattern);

}  // namespace lunar
