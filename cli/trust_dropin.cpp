#include "cli/trust_dropin.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "cli/trust_environment.h"

namespace lunar::cli {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> sections{
    {{".service", "Service"}, {".socket", "Socket"}, {".mount", "Mount"}, {".swap", "Swap"}}};
constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

// One that is not itself escaped.
bool ends_with_backslash(std::string_view line) {
  const size_t last = line.find_last_not_of('\\');
  return (line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1;
}

// A backslash at the end continues the line as a blank; comments between the parts are passed over.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream lines{std::string(text)};
  bool continued = false;
  for (std::string line; std::getline(lines, line);) {
    const std::string_view content = trimmed(line);
    if (content.starts_with('#') || content.starts_with(';') || (content.empty() && !continued)) continue;
    if (!continued) out.emplace_back();
    continued = ends_with_backslash(line);
    if (continued) line.back() = ' ';
    out.back() += line;
  }
  return out;
}

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

// Up to the next blank outside of quotes, which are taken away. An escape is left as it is, and a quotation mark within
// the other kind of quotes becomes one.
std::string next_word(std::string_view text, size_t& at) {
  std::string out;
  char quote = 0;
  for (; at < text.size() && (quote != 0 || !is_blank(text[at])); ++at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size()) {
      out += c;
      out += text[++at];
    } else if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else {
      if (c == '"') out += '\\';
      out += c;
    }
  }
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = text.find_first_not_of(blanks); at < text.size(); at = text.find_first_not_of(blanks, at))
    out.push_back(next_word(text, at));
  return out;
}

void assign(UnitEnvironment& out, std::string_view value, const std::string& path) {
  if (value.empty()) return out.variables.clear();
  for (const std::string& word : words_of(value)) {
    const size_t sign = word.find('=');
    if (sign != std::string::npos) out.variables[word.substr(0, sign)] = {word.substr(sign + 1), path};
  }
}

void name_file(UnitEnvironment& out, std::string_view value, const std::string& path) {
  if (value.empty()) return out.files.clear();
  out.files.emplace_back(value, path);
}

std::string by(const std::string& name, const UnitSetting& setting) { return name + " is set by " + setting.path; }

}  // namespace

std::string unit_name(std::string_view given) {
  const bool plain =
      !given.empty() && !given.starts_with('.') && given.size() <= 255 &&
      std::ranges::all_of(given, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view(":_.\\@-").find(static_cast<char>(c)) != std::string_view::npos;
      });
  if (!plain) return {};
  if (!section_of(given).empty()) return std::string(given);
  constexpr std::array<std::string_view, 7> others{".scope", ".slice",  ".target",   ".timer",
                                                   ".path",  ".device", ".automount"};
  const bool other = std::ranges::any_of(others, [given](std::string_view end) { return given.ends_with(end); });
  return other ? "" : std::string(given) + ".service";
}

std::string section_of(std::string_view unit) {
  for (const auto& [suffix, section] : sections)
    if (unit.ends_with(suffix) && unit.size() > suffix.size()) return std::string(section);
  return {};
}

UnitEnvironment environment_of(std::span<const UnitFile> files, std::string_view section) {
  UnitEnvironment out;
  for (const UnitFile& file : files) {
    bool ours = false;
    for (const std::string& line : logical_lines(file.text)) {
      if (trimmed(line).starts_with('[')) ours = trimmed(line) == "[" + std::string(section) + "]";
      const size_t sign = line.find('=');
      if (!ours || sign == std::string::npos) continue;
      const std::string_view key = trimmed(std::string_view(line).substr(0, sign));
      const std::string_view value = trimmed(std::string_view(line).substr(sign + 1));
      if (key == "Environment") assign(out, value, file.path);
      if (key == "EnvironmentFile") name_file(out, value, file.path);
    }
  }
  return out;
}

std::vector<std::string> names_in_environment_file(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string& line : logical_lines(text)) {
    const size_t sign = line.find('=');
    if (sign != std::string::npos) out.emplace_back(trimmed(std::string_view(line).substr(0, sign)));
  }
  return out;
}

std::string escaped_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
    if (c == '%') out += c;
  }
  return out;
}

std::string dropin_text(std::string_view unit, const Assignments& assignments) {
  std::string out = "# Made by `lunarctl ca env --unit " + std::string(unit) + "`; `--undo` removes it.\n[" +
                    section_of(unit) + "]\n";
  for (const auto& [name, value] : assignments)
    out.append("Environment=\"").append(name).append("=").append(value).append("\"\n");
  return out;
}

DropinPlan plan_dropin(const UnitEnvironment& unit, const Assignments& wanted) {
  DropinPlan out;
  for (const auto& [name, text] : wanted) {
    const std::string value = escaped_value(text);
    const auto set = unit.variables.find(name);
    if (set == unit.variables.end()) {
      out.assignments.emplace_back(name, value);
    } else if (name != java_variable) {
      out.notes.push_back(by(name, set->second) +
                          " and left as it is; what it names must have our roots: lunarctl ca bundle");
    } else if (set->second.value.find(java_option) != std::string::npos) {
      out.notes.push_back(by(name, set->second) +
                          " with a trust store and left as it is; that must have our roots: lunarctl ca bundle");
    } else {
      out.assignments.emplace_back(name, set->second.value + " " + value);
      out.notes.push_back(by(name, set->second) + " and added to");
    }
  }
  return out;
}

}  // namespace lunar::cli
