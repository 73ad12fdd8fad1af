// attach, detach, attachments
#include <memory>
#include <ostream>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct Target {
  std::string name;
  uint32_t pid = 0;
  bool netns = false;
  bool reset_existing = false;

  [[nodiscard]] json request() const {
    json body = json::object();
    if (!name.empty()) body[wire::key::kTarget] = name;
    if (pid != 0) body[wire::key::kPid] = pid;
    if (netns) body[wire::key::kNetns] = true;
    if (reset_existing) body[wire::key::kResetExisting] = true;
    return body;
  }
};

std::shared_ptr<Target> declare_target(CLI::App& app) {
  auto target = std::make_shared<Target>();
  auto* name = app.add_option("target", target->name, "unit, cgroup path or container id")->type_name("TARGET");
  auto* pid =
      app.add_option("--pid", target->pid, "the cgroup of this process")->type_name("PID")->check(CLI::PositiveNumber);
  name->excludes(pid);
  return target;
}

int ask(const Session& session, std::string_view route, const Target& target,
        void (*print)(const Session&, const json&)) {
  if (target.name.empty() && target.pid == 0) {
    return complain(session, "name a TARGET (unit, cgroup path, container id), or --pid PID", wire::Exit::usage);
  }
  const auto answer = fetch(session, {"POST", std::string(route), target.request().dump()});
  return answer ? present(session, *answer, print) : answer.error();
}

std::string text_of(const json& object, const char* member) { return printable(object.value(member, "")); }

void print_attached(const Session& session, const json& attachment) {
  const Palette palette = session.palette();
  const std::string state = text_of(attachment, wire::key::kState);
  session.terminal.out << "attached " << palette.strong(text_of(attachment, wire::key::kTarget))
                       << (state.empty() ? "" : " (" + state + ")") << '\n';
  const std::string warning = text_of(attachment, wire::key::kWarning);
  if (!warning.empty()) session.terminal.out << palette.warning("warning:") << ' ' << warning << '\n';
}

void print_detached(const Session& session, const json& attachment) {
  session.terminal.out << "detached " << text_of(attachment, wire::key::kTarget) << '\n';
}

void print_list(const Session& session, const json& document) {
  Table table({{"TARGET"}, {"STATE"}, {"NETNS"}, {"CGROUP"}, {"WARNING"}});
  for (const json& one : document.value(wire::key::kAttachments, json::array())) {
    table.row({text_of(one, wire::key::kTarget), text_of(one, wire::key::kState),
               one.value(wire::key::kNetns, false) ? "yes" : "no", text_of(one, wire::key::kCgroup),
               text_of(one, wire::key::kWarning)});
  }
  if (table.empty()) {
    session.terminal.out << "nothing is attached; `lunarctl attach TARGET` captures a unit, cgroup or container\n";
  } else {
    table.print(session.terminal.out, session.palette());
  }
}

}  // namespace

void declare_attach(CLI::App& app, Session& session, Action& chosen) {
  auto target = declare_target(app);
  app.add_flag("--netns", target->netns, "capture inside the target's own network namespace, too");
  app.add_flag("--reset-existing", target->reset_existing,
               "end the connections that the target has open, so that it opens new ones");
  app.callback([target, &session, &chosen] {
    chosen = [target, &session] { return ask(session, wire::route::kAttach, *target, print_attached); };
  });
}

void declare_detach(CLI::App& app, Session& session, Action& chosen) {
  auto target = declare_target(app);
  app.callback([target, &session, &chosen] {
    chosen = [target, &session] { return ask(session, wire::route::kDetach, *target, print_detached); };
  });
}

void declare_attachments(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] {
      const auto answer = fetch(session, {.target = std::string(wire::route::kAttachments)});
      return answer ? present(session, *answer, print_list) : answer.error();
    };
  });
}

}  // namespace lunar::cli
