// The verbs of lunarctl, one row each. Parser, help, manual and completions all come from what the rows declare.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <span>

#include "cli/session.h"

namespace lunar::cli {

// What the command line asked for; its result is the exit code.
using Action = std::function<int()>;

struct Verb {
  const char* name;
  const char* summary;
  const char* description;  // for the manual; may be long
  // Adds options to `app` and sets `chosen` when the verb is used. `session` outlives both.
  void (*declare)(CLI::App& app, Session& session, Action& chosen);
};

[[nodiscard]] std::span<const Verb> verbs();

// The whole parser.
[[nodiscard]] std::unique_ptr<CLI::App> make_parser(Session& session, Action& chosen);

// One file a family.
void declare_attach(CLI::App& app, Session& session, Action& chosen);
void declare_detach(CLI::App& app, Session& session, Action& chosen);
void declare_attachments(CLI::App& app, Session& session, Action& chosen);
void declare_run(CLI::App& app, Session& session, Action& chosen);
void declare_status(CLI::App& app, Session& session, Action& chosen);
void declare_top(CLI::App& app, Session& session, Action& chosen);
void declare_tail(CLI::App& app, Session& session, Action& chosen);
void declare_flows(CLI::App& app, Session& session, Action& chosen);
void declare_explain(CLI::App& app, Session& session, Action& chosen);
void declare_tls(CLI::App& app, Session& session, Action& chosen);
void declare_quotas(CLI::App& app, Session& session, Action& chosen);
void declare_discover(CLI::App& app, Session& session, Action& chosen);
void declare_har(CLI::App& app, Session& session, Action& chosen);
void declare_ca(CLI::App& app, Session& session, Action& chosen);
void declare_exporters(CLI::App& app, Session& session, Action& chosen);
void declare_migrate(CLI::App& app, Session& session, Action& chosen);
void declare_failsafe(CLI::App& app, Session& session, Action& chosen);
void declare_restart(CLI::App& app, Session& session, Action& chosen);
void declare_reload(CLI::App& app, Session& session, Action& chosen);
void declare_logs(CLI::App& app, Session& session, Action& chosen);
void declare_doctor(CLI::App& app, Session& session, Action& chosen);
void declare_completion(CLI::App& app, Session& session, Action& chosen);
void declare_version(CLI::App& app, Session& session, Action& chosen);

}  // namespace lunar::cli
