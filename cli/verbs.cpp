#include "cli/verbs.h"

#include <array>
#include <string>

namespace lunar::cli {
namespace {

constexpr std::array<Verb, 23> kVerbs{{
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
    {"flows", "check, load, list, draw and test flows",
     "`validate`, `graph`, `test` and `schema` need no daemon and look at a configuration folder. `validate` prints a "
     "line "
     "for each finding, at most 200, and exits with 1 if one of them refuses the configuration. `load` makes the "
     "daemon "
     "read its folder; if that is refused the old configuration goes on to serve. `test` runs the example transactions "
     "tests/*.yaml of the folder without a network; scripts are not run there and give `failure`. `schema` is for "
     "editors.",
     declare_flows},
    {"explain", "show which flows would run for a request, and why others would not",
     "Reads a configuration folder and needs no daemon. For each flow that would run it draws the steps of both "
     "directions "
     "with what leads where; for each other one it names the first key of its filter that does not match.",
     declare_explain},
    {"tls", "show what became of the TLS connections that are to be opened",
     "`list`: how many were opened or passed through and why, and which programs are passed through because they "
     "refused "
     "a certificate of ours.",
     declare_tls},
    {"quotas", "show quotas with what is used of them", "A line for each quota and group that has one.",
     declare_quotas},
    {"discover", "show the endpoints that were called", "", declare_discover},
    {"har", "export and show the transactions that HARCollector wrote",
     "`export` makes one HAR 1.2 document of files of lines, the oldest first; lines that are no entries are counted "
     "on the "
     "error stream, and it exits with 1 if no entry was found. Without files both words read those of exporters.file "
     "in "
     "gateway_config.yaml.",
     declare_har},
    {"ca", "make the local authority, and have programs trust it",
     "All words work on files and need no daemon; lunard notices a new authority by itself. `install` adds the roots "
     "to "
     "the system's store, to the lists of JDKs and to NSS databases; `uninstall` takes away what `install` added, and "
     "nothing else. `env` writes files for programs with roots of their own into the authority's folder and prints the "
     "variables that name them. These files have the system's roots and ours: call it again when the system's change. "
     "With --unit it writes a drop-in of that unit; variables that the unit sets itself are respected. A process reads "
     "its roots once: `lunarctl doctor UNIT` says which ones it believes.",
     declare_ca},
    {"exporters", "open the files of exporters anew", "", declare_exporters},
    {"failsafe", "send all new connections direct, or end that",
     "`bypass` stops the redirection of new connections until `resume`, whatever the health of the gateway.",
     declare_failsafe},
    {"restart", "replace the gateway process without losing a connection",
     "A new gateway process starts on the same listeners; the old one finishes what it has.", declare_restart},
    {"reload", "read the configuration again",
     "Reads the configuration folder again. If it is refused the old one stays in force.", declare_reload},
    {"logs", "write or reopen the access log", "", declare_logs},
    {"doctor", "check what the machine offers, and what a target needs",
     "Names every missing kernel feature or right and what to do about it. With a unit or process it also says what "
     "would keep that from being captured, and which roots each of its processes believes: where its runtime looks for "
     "them, whether the root of the local authority is there, and if not, how it gets there. Works without the daemon, "
     "with fewer checks.",
     declare_doctor},
    {"migrate", "turn policies into flows (not available in this version)", "", declare_migrate},
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
