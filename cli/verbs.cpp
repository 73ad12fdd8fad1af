#include "cli/verbs.h"

#include <array>
#include <string>

namespace lunar::cli {
namespace {

constexpr std::array<Verb, 14> kVerbs{{
    {"attach", "capture the connections of a unit, cgroup, container or process",
     "From now on, new TCP connections of everything in the target's cgroup go through the gateway. TARGET is a "
     "systemd "
     "unit (shop.service), a path below the cgroup mount, or the id of a container. A unit is captured again when it "
     "is restarted, and attachments are kept over a restart of lunard.",
     declare_attach},
    {"detach", "end the capture of a target",
     "New connections of the target go direct at once. Open ones stay where they are.", declare_detach},
    {"attachments", "list what is captured", "", declare_attachments},
    {"run", "run a command in its own captured cgroup",
     "Starts the command in a new cgroup below that of the caller, captures it for as long as the command runs, and "
     "exits with its code (126: it cannot be executed, 127: it was not found, 128+N: it died of signal N). Needs root "
     "to create the cgroup; under sudo the command runs as the invoking user. Options stand before the command, or "
     "before `--`.",
     declare_run},
    {"status", "show failsafe, gateway and attachments", "", declare_status},
    {"top", "show who calls whom: rates, errors, latencies, bytes",
     "Figures of the last ten to twenty seconds. On a terminal it refreshes until it is interrupted.", declare_top},
    {"tail", "show the last transactions, and follow new ones",
     "A line for each attempt that ended and each opaque connection that was closed. With --json the lines of the "
     "access "
     "log. A reader that is too slow loses lines and is told how many.",
     declare_tail},
    {"failsafe", "send all new connections direct, or end that",
     "`bypass` stops the redirection of new connections until `resume`, whatever the health of the gateway.",
     declare_failsafe},
    {"restart", "replace the gateway process without losing a connection",
     "A new gateway process starts on the same listeners; the old one finishes what it has.", declare_restart},
    {"reload", "read the configuration again",
     "Reads gateway_config.yaml again. If it is refused the old one stays in force.", declare_reload},
    {"logs", "write or reopen the access log", "", declare_logs},
    {"doctor", "check what the machine offers, and what a target needs",
     "Names every missing kernel feature or right and what to do about it. With a unit or process it also says what "
     "would keep that from being captured. Works without the daemon, with fewer checks.",
     declare_doctor},
    {"completion", "print the completion script of a shell",
     "For example: lunarctl completion bash > /etc/bash_completion.d/lunarctl", declare_completion},
    {"version", "print the version", "", declare_version},
}};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

std::unique_ptr<CLI::App> make_parser(Session& session, Action& chosen) {
  auto app = std::make_unique<CLI::App>("Controls lunard, the egress gateway.", "lunarctl");
  app->add_option("--socket", session.socket, "control socket of the daemon")->type_name("PATH")->capture_default_str();
  app->add_option("--config-dir", session.config_dir, "configuration directory")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_flag("--json", session.json, "print JSON");
  app->require_subcommand(1);
  app->fallthrough();
  for (const Verb& verb : verbs()) {
    CLI::App* sub = app->add_subcommand(verb.name, verb.summary);
    sub->fallthrough();
    verb.declare(*sub, session, chosen);
  }
  return app;
}

}  // namespace lunar::cli
