// The way from command line, environment and lunard.yaml to one LunardConfig.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/config/lunard_config.h"
#include "flowengine/diagnostic.h"
#include "flowengine/result.h"

namespace lunar {

using Environment = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] Environment environment_from(const char* const* environ_block);

// --name=value or --name value for every option of the table, and the few words below. An unknown or incomplete
// argument is a usage error (exit code 2).
struct CommandLine {
  enum class Action : uint8_t { run, check, dump_config, help, version };
  Action action = Action::run;
  std::string role;                                           // --role, empty for the supervisor
  std::vector<std::pair<std::string, std::string>> settings;  // path of the option (config_dir too) and its text
};
[[nodiscard]] Result<CommandLine> parse_command_line(std::span<const char* const> arguments);  // without argv[0]

struct LoadedConfig {
  LunardConfig config;
  Diagnostics diagnostics;         // any error: exit code 3, each printed as lunard.yaml:line:col: error: ...
  std::vector<std::string> notes;  // for the log at start
};

// Pure. Precedence: command line, environment, file, default. `file_text` is nullopt where there is no file.
[[nodiscard]] LoadedConfig resolve_config(const CommandLine& command_line, const Environment& environment,
                                          std::optional<std::string_view> file_text);

// The same with lunard.yaml of the configuration directory. Also decides what depends on the machine: a generated
// instance id, absolute paths, where the local authority is, and no TLS listener where its certificate does not exist.
[[nodiscard]] LoadedConfig load_lunard_config(const CommandLine& command_line, const Environment& environment);

// The effective configuration as a lunard.yaml, secrets masked.
[[nodiscard]] std::string dump_config(const LunardConfig& config);
// For --help, and for the section of the man page (troff).
[[nodiscard]] std::string option_help();
[[nodiscard]] std::string option_manual();

}  // namespace lunar
