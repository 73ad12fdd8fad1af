#include <algorithm>
#include <vector>

#include "agent/config/load.h"
#include "agent/config/option.h"
#include "flowengine/spelling.h"

namespace lunar {
namespace {

const Option* option_of_flag(std::string_view flag) {
  if (flag == "--socket") flag = "--control-socket";  // the name that lunarctl gives it
  auto found = std::ranges::find_if(
      option_table(), [&](const Option& option) { return option.on_command_line() && option_flag(option) == flag; });
  return found == option_table().end() ? nullptr : &*found;
}

std::string unknown_flag(std::string_view flag) {
  std::vector<std::string> flags{"--help", "--version", "--check", "--dump-config"};
  for (const Option& option : option_table())
    if (option.on_command_line()) flags.push_back(option_flag(option));
  std::vector<std::string_view> views(flags.begin(), flags.end());
  std::string_view near = nearest_name(flag, views);
  std::string hint = near.empty() ? "; see --help" : "; did you mean " + std::string(near) + "?";
  return "unknown argument " + std::string(flag) + hint;
}

std::optional<CommandLine::Action> action_of(std::string_view argument) {
  if (argument == "--help" || argument == "-h") return CommandLine::Action::help;
  if (argument == "--version" || argument == "-V") return CommandLine::Action::version;
  if (argument == "--check") return CommandLine::Action::check;
  if (argument == "--dump-config") return CommandLine::Action::dump_config;
  return std::nullopt;
}

Result<> accept(std::string_view flag, std::string_view value, CommandLine& out) {
  if (flag == "--role") {
    out.role = value;
    return {};
  }
  const Option* option = option_of_flag(flag);
  LunardConfig tried = default_config();
  if (auto fits = set_option(*option, value, tried); !fits) return fail(std::string(flag) + ": " + fits.error().text);
  out.settings.emplace_back(option->path, value);
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<const char* const> arguments) {
  CommandLine out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (auto action = action_of(argument)) {
      out.action = *action;
      continue;
    }
    size_t equals = argument.find('=');
    std::string_view flag = argument.substr(0, equals);
    if (flag != "--role" && option_of_flag(flag) == nullptr) return fail(unknown_flag(flag));
    bool attached = equals != std::string_view::npos;
    if (!attached && ++i == arguments.size()) return fail(std::string(flag) + " needs a value");
    std::string_view value = attached ? argument.substr(equals + 1) : std::string_view(arguments[i]);
    if (auto accepted = accept(flag, value, out); !accepted) return std::unexpected(accepted.error());
  }
  return out;
}

}  // namespace lunar
