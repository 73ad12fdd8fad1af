#include <algorithm>
#include <cerrno>
#include <map>

#include "agent/config/checks.h"
#include "agent/config/load.h"
#include "agent/config/option.h"
#include "agent/config/variable.h"
#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"
#include "flowengine/spelling.h"

namespace lunar {
namespace {

constexpr std::string_view file_name = "lunard.yaml";
constexpr std::string_view environment_name = "environment";
constexpr std::string_view command_line_name = "command line";

std::optional<std::string> joined(const std::optional<std::vector<std::string>>& items) {
  if (!items) return std::nullopt;
  std::string out;
  for (const std::string& item : *items) out += (out.empty() ? "" : ",") + item;
  return out;
}

bool wants_integer(const Option& option, const Value& value) {
  bool is_auto = value.kind == Value::Kind::scalar && value.text == "auto";
  return std::holds_alternative<IntegerOption>(option.type) ||
         (std::holds_alternative<AutoIntegerOption>(option.type) && !is_auto);
}

// A YAML value in the spelling that set_option reads; nothing after a finding.
std::optional<std::string> spelt(const Option& option, const Value& value, Reader& reader) {
  if (std::holds_alternative<FlagOption>(option.type)) {
    auto flag = reader.boolean(value);
    return flag ? std::optional<std::string>(*flag ? "true" : "false") : std::nullopt;
  }
  if (wants_integer(option, value)) {
    auto number = reader.integer(value);
    return number ? std::optional(std::to_string(*number)) : std::nullopt;
  }
  if (std::holds_alternative<ListOption>(option.type)) return joined(reader.strings(value));
  bool text = std::holds_alternative<TextOption>(option.type);
  return reader.string(value, text ? Reader::Coercion::warns : Reader::Coercion::silent);
}

bool is_section(std::string_view path) {
  for (const Option& option : option_table())
    if (option.in_file() && option.path.starts_with(path) && option.path.substr(path.size()).starts_with('.'))
      return true;
  return false;
}

// The names that may stand below `section` ("" for the top).
std::vector<std::string_view> names_below(std::string_view section) {
  std::vector<std::string_view> out;
  for (const Option& option : option_table()) {
    std::string_view rest = option.path;
    if (!option.in_file() || !rest.starts_with(section)) continue;
    rest.remove_prefix(section.size());
    if (!section.empty() && !rest.starts_with('.')) continue;
    if (!section.empty()) rest.remove_prefix(1);
    out.push_back(rest.substr(0, rest.find('.')));
  }
  return out;
}

// Where a value comes from that is not the default.
struct Origin {
  std::string_view source = file_name;
  Value value = {};  // as the file has it
};

Position place_of(const Value& value, std::string_view entry) {
  auto found = std::ranges::find(value.items, entry, &Value::text);
  return entry.empty() || found == value.items.end() ? value.at : found->at;
}

class Resolution {
 public:
  explicit Resolution(LoadedConfig& out) : out_(out), reader_(file_name, out.diagnostics) {}

  void apply_file(std::string_view text) {
    auto document = read_document(file_name, text, out_.diagnostics);
    if (document && document->kind != Value::Kind::null && reader_.map(*document)) apply_section(*document, "");
  }

  void apply_environment(const Environment& environment) {
    for (const Option& option : option_table())
      for (const Variable& variable : option.variables) {
        auto found = environment.find(variable.name);
        if (found != environment.end() && !found->second.empty()) apply_variable(option, variable, found->second);
      }
  }

  void apply_command_line(const CommandLine& command_line) {
    for (const auto& [path, text] : command_line.settings) {
      const Option* option = find_option(path);
      auto set = option == nullptr ? fail("unknown option") : set_option(*option, text, out_.config);
      if (!set) {
        add_fault(command_line_name, path + ": " + set.error().text, set.error());
      } else {
        origins_[option->path] = {command_line_name};
      }
    }
  }

  void check() {
    for (CheckFinding& finding : check_config(out_.config)) {
      const Origin& origin = origins_[finding.path];
      out_.diagnostics.add({std::string(origin.source), place_of(origin.value, finding.entry), Severity::error,
                            std::string(finding.id), std::string(finding.path) + ": " + finding.text});
    }
  }

 private:
  void apply_section(const Value& map, const std::string& section) {
    std::vector<std::string_view> known = names_below(section);
    reader_.warn_unknown_keys(map, known);
    for (const Entry& entry : map.entries) {
      if (entry.value.kind == Value::Kind::null) continue;
      std::string path = section.empty() ? entry.key : section + "." + entry.key;
      const Option* option = find_option(path);
      if (option != nullptr && option->in_file()) {
        apply_value(*option, entry.value);
      } else if (is_section(path) && reader_.map(entry.value)) {
        apply_section(entry.value, path);
      }
    }
  }

  void apply_value(const Option& option, const Value& value) {
    auto text = spelt(option, value, reader_);
    if (!text) return;
    auto set = set_option(option, *text, out_.config);
    if (!set) {
      reader_.error(value.at, id_of(set.error()), std::string(option.path) + ": " + set.error().text);
    } else {
      origins_[option.path] = {file_name, value};
    }
  }

  void apply_variable(const Option& option, const Variable& variable, const std::string& value) {
    auto text = variable.translate(value, option_value(option, out_.config));
    if (!text) return add_fault(environment_name, std::string(variable.name) + ": " + text.error().text, text.error());
    if (!*text) return;
    auto set = set_option(option, **text, out_.config);
    if (!set) return add_fault(environment_name, std::string(variable.name) + ": " + set.error().text, set.error());
    origins_[option.path] = {environment_name};
  }

  static std::string id_of(const Error& error) { return error.os_error == ERANGE ? "out-of-range" : "bad-type"; }

  void add_fault(std::string_view source, std::string text, const Error& error) {
    out_.diagnostics.add({std::string(source), {}, Severity::error, id_of(error), std::move(text)});
  }

  LoadedConfig& out_;
  Reader reader_;
  std::map<std::string_view, Origin> origins_;  // by the path of the option
};

void note_ignored_variables(const Environment& environment, LoadedConfig& out) {
  std::string listed;
  for (const std::string& name : variable::without_effect(environment)) listed += (listed.empty() ? "" : ", ") + name;
  if (!listed.empty()) out.notes.push_back("these environment variables have no effect here: " + listed);
  auto streams = environment.find("LUNAR_STREAMS_ENABLED");
  if (streams != environment.end() && streams->second == "false")
    out.diagnostics.add({std::string(environment_name),
                         {},
                         Severity::warning,
                         "policies-ignored",
                         "LUNAR_STREAMS_ENABLED is false, but policies are not loaded: flows are always in effect"});
}

}  // namespace

LunardConfig default_config() {
  LunardConfig config;
  for (const Option& option : option_table()) {
    // A test sets every default, so that none can be refused here.
    [[maybe_unused]] auto set = set_option(option, option.fallback, config);
  }
  return config;
}

LoadedConfig resolve_config(const CommandLine& command_line, const Environment& environment,
                            std::optional<std::string_view> file_text) {
  LoadedConfig out{default_config(), {}, {}};
  Resolution resolution(out);
  if (file_text) resolution.apply_file(*file_text);
  resolution.apply_environment(environment);
  resolution.apply_command_line(command_line);
  resolution.check();
  note_ignored_variables(environment, out);
  return out;
}

}  // namespace lunar
