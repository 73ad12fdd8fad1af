// The option table as text for people: --help, the man page, --dump-config.
#include <algorithm>

#include "agent/config/load.h"
#include "agent/config/option.h"
#include "flowengine/spec/value.h"

namespace lunar {
namespace {

std::string remark(const Option& option) {
  std::string out = option.fallback.empty() ? "" : "default " + std::string(option.fallback);
  auto append = [&](const std::string& text) { out += (out.empty() || text.empty() ? "" : ", ") + text; };
  append(option_range(option));
  for (const Variable& variable : option.variables) append(std::string(variable.name));
  return out;
}

// Unquoted only where nothing could be taken for YAML.
std::string yaml_scalar(const std::string& text, bool is_text) {
  constexpr std::string_view safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
  bool plain = !text.empty() && text.find_first_not_of(safe) == std::string::npos && text.front() != '-';
  bool looks_typed = plain_scalar_type(text) != Value::ScalarType::string || is_plain_null(text);
  if (plain && !(is_text && looks_typed)) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string yaml_list(std::string_view joined) {
  std::string out = "[";
  while (!joined.empty()) {
    std::string_view item = joined.substr(0, joined.find(','));
    joined.remove_prefix(std::min(item.size() + 1, joined.size()));
    out += (out.size() == 1 ? "" : ", ") + yaml_scalar(std::string(item), true);
  }
  return out + "]";
}

// user:pass@ of a URL is for its server only.
std::string masked(std::string url) {
  size_t begin = url.find("://");
  size_t end = url.rfind('@');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return url;
  return url.replace(begin + 3, end - begin - 3, "***");
}

std::string yaml_value(const Option& option, const LunardConfig& config) {
  std::string text = option_value(option, config);
  if (std::holds_alternative<ListOption>(option.type)) return yaml_list(text);
  return yaml_scalar(option.secret ? masked(text) : text, std::holds_alternative<TextOption>(option.type));
}

std::string troff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '-') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string dump_config(const LunardConfig& config) {
  std::vector<std::string> sections;  // in the order of the table; "" for keys at the top
  auto section_of = [](const Option& option) {
    size_t dot = option.path.find('.');
    return std::string(dot == std::string_view::npos ? "" : option.path.substr(0, dot));
  };
  for (const Option& option : option_table())
    if (option.in_file() && std::ranges::find(sections, section_of(option)) == sections.end())
      sections.push_back(section_of(option));
  std::string out;
  for (const std::string& section : sections) {
    std::string indent = section.empty() ? "" : "  ";
    if (!section.empty()) out += section + ":\n";
    for (const Option& option : option_table()) {
      if (!option.in_file() || section_of(option) != section) continue;
      std::string_view name = option.path.substr(section.empty() ? 0 : section.size() + 1);
      out += indent + std::string(name) + ": " + yaml_value(option, config) + "\n";
    }
  }
  return out;
}

std::string option_help() {
  std::string out;
  for (const Option& option : option_table()) {
    if (!option.on_command_line()) continue;
    std::string note = remark(option);
    out += "  " + option_flag(option) + " " + option_metavar(option) + "\n        " + std::string(option.help);
    out += note.empty() ? "\n" : " (" + note + ")\n";
  }
  return out;
}

std::string option_manual() {
  std::string out;
  for (const Option& option : option_table()) {
    std::string_view title = option.in_file() || option.variables.empty() ? option.path : option.variables.back().name;
    std::string note = remark(option);
    out += ".TP\n\\fB" + troff(title) + "\\fR \\fI" + troff(option_metavar(option)) + "\\fR\n";
    out += troff(option.help) + (note.empty() ? "." : " (" + troff(note) + ").") + "\n";
  }
  return out;
}

}  // namespace lunar
