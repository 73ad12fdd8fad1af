#include <ostream>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

constexpr int kLabelWidth = 13;

json member(const json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object[name] : json();
}

std::string text(const json& object, const char* name) {
  const json value = member(object, name);
  return printable(value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump());
}

uint64_t number(const json& object, const char* name) {
  const json value = member(object, name);
  return value.is_number() && value.get<double>() >= 0 ? static_cast<uint64_t>(value.get<double>()) : 0;
}

std::string label(const Session& session, const std::string& name) {
  return session.palette().faint(name) + std::string(kLabelWidth - name.size(), ' ');
}

std::string painted_state(const Palette& palette, const std::string& state) {
  if (state == "protecting") return palette.good(state);
  return state == "detached" ? palette.warning(state) : palette.bad(state);
}

std::string reasons(const json& counts) {
  std::string out;
  for (const auto& [reason, count] : counts.items()) {
    if (!count.is_number_unsigned() || count == 0) continue;
    out += (out.empty() ? "" : ", ") + human_count(count.get<uint64_t>()) + " " + printable(reason);
  }
  return out.empty() ? "none" : out;
}

void print_failsafe(const Session& session, const json& failsafe) {
  const Palette palette = session.palette();
  std::ostream& out = session.terminal.out;
  out << label(session, "failsafe") << painted_state(palette, text(failsafe, wire::key::kState));
  if (const std::string since = text(failsafe, wire::key::kSince); !since.empty()) out << " since " << since;
  if (const std::string reason = text(failsafe, wire::key::kReason); !reason.empty()) out << " (" << reason << ")";
  out << '\n' << label(session, "") << plural(number(failsafe, wire::key::kFailedProbes), "failed probe");
  if (!member(failsafe, wire::key::kHeartbeatAge).is_null()) {
    out << ", heartbeat " << human_milliseconds(static_cast<double>(number(failsafe, wire::key::kHeartbeatAge)))
        << " old";
  }
  out << ", " << plural(number(failsafe, wire::key::kPendingAccepts), "pending accept") << '\n';
  out << label(session, "direct") << reasons(member(failsafe, wire::key::kDirect)) << '\n';
}

void print_gateway(const Session& session, const json& gateway) {
  const Palette palette = session.palette();
  std::ostream& out = session.terminal.out;
  if (const std::string error = text(gateway, wire::key::kError); !error.empty()) {
    out << label(session, "gateway") << palette.bad(error) << '\n';
    return;
  }
  out << label(session, "gateway") << human_count(number(gateway, wire::key::kOpenConnections)) << " of "
      << plural(number(gateway, wire::key::kMaxConnections), "connection") << " open, "
      << plural(number(gateway, wire::key::kRequests), "request") << " served\n";
  for (const json& reason : member(gateway, "degraded")) {
    out << label(session, "") << palette.warning(printable(reason.is_string() ? reason.get<std::string>() : ""))
        << '\n';
  }
  Table workers({{"WORKER", Table::Side::right},
                 {"STATE"},
                 {"HEARTBEAT", Table::Side::right},
                 {"CONNECTIONS", Table::Side::right}});
  for (const json& worker : member(gateway, wire::key::kWorkers)) {
    const bool alive = member(worker, "alive") == true;
    const bool busy = member(worker, "busy") == true;
    workers.row({text(worker, "worker"),
                 !alive ? palette.bad("hung")
                 : busy ? palette.warning("busy")
                        : palette.good("ok"),
                 human_milliseconds(static_cast<double>(number(worker, wire::key::kHeartbeatAge))),
                 human_count(number(worker, wire::key::kOpenConnections))});
  }
  if (!workers.empty()) workers.print(out, palette, std::string(kLabelWidth, ' '));
}

void print_attachments(const Session& session, const json& attachments) {
  Table table({{"TARGET"}, {"STATE"}, {"CGROUP"}, {"WARNING"}});
  for (const json& one : attachments) {
    table.row({text(one, wire::key::kTarget), text(one, wire::key::kState), text(one, wire::key::kCgroup),
               text(one, wire::key::kWarning)});
  }
  std::ostream& out = session.terminal.out;
  out << label(session, "attached");
  if (table.empty()) {
    out << "nothing; `lunarctl attach TARGET` captures a unit, cgroup or container\n";
    return;
  }
  out << plural(attachments.size(), "target") << '\n';
  table.print(out, session.palette(), std::string(kLabelWidth, ' '));
}

// Those that people connect to; the workers' own are for the hook.
void print_listeners(const Session& session, const json& listeners) {
  std::string shown;
  for (const auto& [role, addresses] : listeners.items()) {
    if (role == "worker" || !addresses.is_array() || addresses.empty()) continue;
    shown += (shown.empty() ? "" : ", ") + printable(role);
    for (const json& address : addresses)
      shown += " " + printable(address.is_string() ? address.get<std::string>() : "?");
  }
  if (!shown.empty()) session.terminal.out << label(session, "listens") << shown << '\n';
}

void print_status(const Session& session, const json& status) {
  std::ostream& out = session.terminal.out;
  out << label(session, "lunard") << session.palette().strong(text(status, wire::key::kVersion)) << ", instance "
      << text(status, wire::key::kInstance) << ", up " << human_duration(number(status, wire::key::kUptime)) << '\n';
  print_failsafe(session, member(status, wire::key::kFailsafe));
  print_gateway(session, member(status, wire::key::kGateway));
  print_listeners(session, member(status, wire::key::kListeners));
  print_attachments(session, member(status, wire::key::kAttachments));
  for (const json& warning : member(status, wire::key::kWarnings)) {
    out << session.palette().warning("warning:") << ' '
        << printable(warning.is_string() ? warning.get<std::string>() : warning.dump()) << '\n';
  }
}

}  // namespace

void declare_status(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] {
      const auto answer = fetch(session, {.target = std::string(wire::route::kStatus)});
      return answer ? present(session, *answer, print_status) : answer.error();
    };
  });
}

}  // namespace lunar::cli
