// lunard: one binary, three roles. Wiring is in the *_role files.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <span>
#include <string>

#include "agent/base/log.h"
#include "agent/config/load.h"
#include "agent/failsafe/gateway_process.h"
#include "agent/failsafe/log_level.h"
#include "agent/failsafe/service_link.h"
#include "agent/gateway_role.h"
#include "agent/script/host.h"
#include "agent/supervisor_role.h"

namespace {

using namespace lunar;

int code(ExitCode exit) { return static_cast<int>(exit); }

void print_help() {
  std::cout
      << "Usage: lunard [--config-dir DIR] [OPTION VALUE]...\n\n"
         "The Lunar egress gateway. Runs in the foreground; lunarctl controls it.\n\n"
         "  --check\n        check the configuration and exit (0, or 3 with errors)\n"
         "  --dump-config\n        print the effective configuration and exit\n"
         "  --socket PATH\n        the same as --control-socket\n"
         "  --version\n        print the version and exit\n"
         "  --help\n        print this and exit\n\n"
      << option_help()
      << "\nSignals: TERM and INT stop gracefully (again: at once), HUP reloads, USR1 reopens the logs,\n"
         "USR2 replaces the gateway process without losing a connection.\n"
         "Exit codes: 0 clean stop, 1 fatal at run time, 2 usage, 3 bad configuration, 4 a listener cannot be bound,\n"
         "5 the hook cannot be attached (only with capture.required: true).\n";
}

// Before the log is started: these lines are the product of the process, not news about it.
bool print_findings(const LoadedConfig& loaded) {
  for (const Diagnostic& finding : loaded.diagnostics.list()) std::cerr << finding.print() << '\n';
  return !loaded.diagnostics.has_errors();
}

int run_supervisor(const LoadedConfig& loaded) {
  log::start("lunard", level_of(loaded.config.log_level));
  for (const std::string& note : loaded.notes) log::info("{}", note);
  auto stored = ServiceLink::take_descriptors();
  auto loop = EventLoop::create();
  if (!loop) {
    log::error("{}: {}", loop.error().text, strerror(loop.error().os_error));
    return code(ExitCode::fatal);
  }
  Supervisor supervisor(*loop, loaded.config);
  if (const ExitCode opened = supervisor.open(std::move(stored)); opened != ExitCode::clean) return code(opened);
  return code(supervisor.run());
}

int act(const CommandLine& command_line) {
  switch (command_line.action) {
    case CommandLine::Action::help:
      print_help();
      return code(ExitCode::clean);
    case CommandLine::Action::version:
      std::cout << "lunard " LUNAR_VERSION "\n";
      return code(ExitCode::clean);
    default:
      break;
  }
  if (command_line.role == "gateway") return run_gateway();
  if (command_line.role == "scripts") return run_script_host(GatewayProcess::channel_fd);
  const LoadedConfig loaded = load_lunard_config(command_line, environment_from(environ));
  if (!print_findings(loaded)) return code(ExitCode::configuration);
  if (command_line.action == CommandLine::Action::check) return code(ExitCode::clean);
  if (command_line.action == CommandLine::Action::dump_config) {
    std::cout << dump_config(loaded.config);
    return code(ExitCode::clean);
  }
  return run_supervisor(loaded);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::span<const char* const> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto command_line = parse_command_line(arguments);
    const bool known = command_line && (command_line->role.empty() || command_line->role == "gateway" ||
                                        command_line->role == "scripts");
    if (!known) {
      std::cerr << "lunard: " << (command_line ? "no such role: " + command_line->role : command_line.error().text)
                << '\n';
      return code(ExitCode::usage);
    }
    return act(*command_line);
  } catch (const std::exception& error) {
    std::cerr << "lunard: " << error.what() << '\n';
    return code(ExitCode::fatal);
  }
}
