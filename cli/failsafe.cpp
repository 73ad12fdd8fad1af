// failsafe, restart, reload, logs, exporters: verbs that tell the daemon to do one thing
#include <chrono>
#include <ostream>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kRestartPatience{120};  // the new process may have to wait for the old one

void print_message(const Session& session, const json& answer) {
  session.terminal.out << printable(answer.value(wire::key::kMessage, "done")) << '\n';
}

void print_failsafe(const Session& session, const json& failsafe) {
  session.terminal.out << "failsafe: " << printable(failsafe.value(wire::key::kState, "?")) << " ("
                       << printable(failsafe.value(wire::key::kReason, "")) << ")\n";
}

int tell(const Session& session, const Request& request, void (*print)(const Session&, const json&)) {
  const auto answer = fetch(session, request);
  return answer ? present(session, *answer, print) : answer.error();
}

struct Mode {
  const char* verb;
  const char* help;
  const char* name;
};

void declare_mode(CLI::App& app, const Mode& mode, Session& session, Action& chosen) {
  app.add_subcommand(mode.verb, mode.help)->fallthrough()->callback([name = mode.name, &session, &chosen] {
    chosen = [name, &session] {
      return tell(session, {"PUT", std::string(wire::route::kFailsafe), json{{wire::key::kMode, name}}.dump()},
                  print_failsafe);
    };
  });
}

}  // namespace

void declare_failsafe(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  declare_mode(app, {"bypass", "send all new connections direct until `resume`", "bypass"}, session, chosen);
  declare_mode(app, {"resume", "let the failsafe decide by the health of the gateway again", "auto"}, session, chosen);
}

void declare_restart(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] {
      return tell(session,
                  {.method = "POST", .target = std::string(wire::route::kRestart), .patience = kRestartPatience},
                  print_message);
    };
  });
}

void declare_reload(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] { return tell(session, {"POST", std::string(wire::route::kReload)}, print_message); };
  });
}

void declare_logs(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  app.add_subcommand("flush", "write what is buffered now")->fallthrough()->callback([&session, &chosen] {
    chosen = [&session] { return tell(session, {"POST", std::string(wire::route::kLogsFlush)}, print_message); };
  });
  app.add_subcommand("reopen", "open the file anew after it was moved")->fallthrough()->callback([&session, &chosen] {
    chosen = [&session] { return tell(session, {"POST", std::string(wire::route::kLogsReopen)}, print_message); };
  });
}

void declare_exporters(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  app.add_subcommand("reload", "write what is buffered and open the files anew")
      ->fallthrough()
      ->callback([&session, &chosen] {
        chosen = [&session] {
          return tell(session, {"POST", std::string(wire::route::kExportersReload)}, print_message);
        };
      });
}

}  // namespace lunar::cli
