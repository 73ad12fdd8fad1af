#include "flowengine/expr/regex.h"

#include <re2/re2.h>

namespace lunar {
namespace {

// For the program and what a search remembers. Patterns that need more are refused, texts that do are searched slower.
constexpr int64_t memory_limit = 2 << 20;

RE2::Options options_for(Regex::Case letters) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(memory_limit);
  options.set_never_capture(true);
  options.set_case_sensitive(letters == Regex::Case::sensitive);
  return options;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct Regex::Program {
  RE2 expression;
  Program(std::string_view pattern, Case letters) : expression(piece(pattern), options_for(letters)) {}
};

std::expected<Regex, SyntaxFault> Regex::compile(std::string_view pattern, Case letters) {
  auto program = std::make_shared<const Program>(pattern, letters);
  if (program->expression.ok()) return Regex(std::move(program));
  size_t offset = pattern.find(program->expression.error_arg());
  return std::unexpected(SyntaxFault{offset == std::string_view::npos ? 0 : offset, program->expression.error()});
}

bool Regex::search(std::string_view text) const { return RE2::PartialMatch(piece(text), program_->expression); }
bool Regex::matches(std::string_view text) const { return RE2::FullMatch(piece(text), program_->expression); }

std::string interoperable_pattern(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out.append(pattern.substr(i++, 2));
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    c == '.' && !in_class ? out.append("[^\\n\\r]") : out.append(1, c);
  }
  return out;
}

}  // namespace lunar
