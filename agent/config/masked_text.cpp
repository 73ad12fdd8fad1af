#include "agent/config/masked_text.h"

#include <re2/re2.h>

#include <algorithm>

namespace lunar {
namespace {

// Names end so: `max_tokens` and `caching_key_parts` hold no secret.
#define SECRET_NAME \
  R"([\w.$\[\]-]*(?:secret|passwd|password|passphrase|token|credentials?|api[_-]?key|private[_-]?key|access[_-]?key|authorization|cookie))"
#define SCALAR R"((?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{},|>#&*][^\n,}\]#]*))"

struct Rule {
  RE2 pattern;
  const char* replacement;
};

const RE2& block_scalar() {
  static const RE2 pattern(R"((?i)^( *)(?:- +)?["']?)" SECRET_NAME R"(["']?\s*:\s*[|>][-+0-9]*\s*$)");
  return pattern;
}

size_t indentation(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

// `name: |` and the deeper lines below it.
std::string without_blocks(const std::string& text) {
  std::string out, line;
  bool inside = false;
  size_t depth = 0;
  for (size_t at = 0; at < text.size(); at += line.size()) {
    line = text.substr(at, std::min(text.find('\n', at), text.size() - 1) - at + 1);
    const std::string bare = line.substr(0, line.find_last_not_of("\r\n") + 1);
    inside = inside && (bare.empty() || indentation(bare) > depth);
    if (inside) {
      out += bare.empty() ? line : std::string(indentation(bare), ' ') + "********\n";
      continue;
    }
    inside = RE2::PartialMatch(bare, block_scalar());
    depth = indentation(bare);
    out += line;
  }
  return out;
}

}  // namespace

std::string masked_text(std::string text) {
  static const Rule rules[] = {
      {RE2(R"(://[^/\s"'@]*@)"), "://********@"},
      {RE2(R"((?i)\b(bearer|basic)\s+[\w.~+/=-]{6,})"), R"(\1 ********)"},
      {RE2(R"((?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END|$))"), R"(\1********\2)"},
      {RE2(R"((?i)(\bkey["']?\s*:\s*["']?)" SECRET_NAME R"(["']?\s*,?\s*["']?value["']?\s*:\s*))" SCALAR),
       R"(\1"********")"},
      {RE2(R"((?i)()" SECRET_NAME R"(["']?[ \t]*:[ \t]+))" SCALAR), R"(\1"********")"},
      {RE2(R"((?i)()" SECRET_NAME R"(["']\s*:\s*))" SCALAR), R"(\1"********")"},
  };
  text = without_blocks(text);
  for (const Rule& rule : rules) RE2::GlobalReplace(&text, rule.pattern, rule.replacement);
  return text;
}

}  // namespace lunar
