#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>

#include "agent/net/authority_files.h"
#include "agent/net/x509_values.h"
#include "cli/ca.h"
#include "cli/machine.h"
#include "cli/runtimes.h"
#include "cli/trust_store.h"
#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

std::string_view name_of(Level level) {
  return level == Level::ok ? "ok" : level == Level::warning ? "warning" : "error";
}

json to_json(const Check& check) {
  json one{{wire::key::kName, check.name}, {wire::key::kLevel, name_of(check.level)}, {wire::key::kText, check.text}};
  if (!check.hint.empty()) one[wire::key::kHint] = check.hint;
  return one;
}

void print_report(const Session& session, const json& report) {
  const Palette palette = session.palette();
  size_t width = 0;
  const json checks = report.value(wire::key::kChecks, json::array());
  for (const json& check : checks) width = std::max(width, check.value(wire::key::kName, "").size());
  for (const json& check : checks) {
    const std::string level = check.value(wire::key::kLevel, "ok");
    const std::string mark = level == "ok"        ? palette.good("ok     ")
                             : level == "warning" ? palette.warning("warning")
                                                  : palette.bad("error  ");
    std::string name = printable(check.value(wire::key::kName, ""));
    name.resize(std::max(width, name.size()), ' ');
    session.terminal.out << mark << "  " << name << "  " << printable(check.value(wire::key::kText, "")) << '\n';
    const std::string hint = printable(check.value(wire::key::kHint, ""));
    if (!hint.empty())
      session.terminal.out << "         " << std::string(width, ' ') << "  " << palette.strong("-> " + hint) << '\n';
  }
}

// 1 if something is in the way.
int verdict(const json& report) {
  for (const json& check : report.value(wire::key::kChecks, json::array())) {
    if (check.value(wire::key::kLevel, "") == "error") return code(wire::Exit::refused);
  }
  return code(wire::Exit::ok);
}

json local_report(const Session& session, const Error& unreachable) {
  utsname kernel{};
  ::uname(&kernel);
  json checks = json::array();
  for (const Check& check : check_machine("", kernel.release, session.config_dir)) checks.push_back(to_json(check));
  checks.push_back(to_json(
      {"daemon", Level::error, unreachable.text, "kernel features and targets can only be checked with the daemon"}));
  return {{wire::key::kChecks, std::move(checks)}};
}

Check check_authority(const AuthorityDescription& authority, WallTime now) {
  constexpr std::chrono::days soon{30};
  const std::string until = date_text(authority.validity.not_after);
  if (now + soon < authority.validity.not_after) return {"local authority", Level::ok, "valid until " + until, ""};
  return {"local authority", Level::warning, "valid until " + until + " only", "lunarctl ca rotate"};
}

// Who believes the local authority. The daemon is not asked: it may not look at every process.
std::vector<Check> check_trust(const Session& session, const std::string& subject) {
  const auto folder = configured_ca_folder(session.config_dir);
  if (!folder) return {{"local authority", Level::warning, "not found: " + folder.error().text, "correct that file"}};
  const WallTime now = wall_now();
  const auto authority = read_authority(*folder, now);
  if (!authority && authority.error().os_error == ENOENT)
    return {{"local authority", Level::ok, "there is none in " + *folder + ": no TLS connection is opened", ""}};
  if (!authority) {
    const bool refused = authority.error().os_error == EACCES || authority.error().os_error == EPERM;
    return {{"local authority", Level::warning, full_text(authority.error()), refused ? "run as root" : ""}};
  }
  const auto roots = roots_of(*authority, now);
  if (!roots) return {{"local authority", Level::warning, full_text(roots.error()), ""}};
  std::vector<Check> out{check_authority(authority->describe(), now),
                         check_trust_of_system(FileTree(), roots->front())};
  if (!subject.empty()) std::ranges::move(check_trust_of(subject, roots->front()), std::back_inserter(out));
  return out;
}

int tell(const Session& session, const std::string& subject, json report) {
  json& checks = report[wire::key::kChecks];
  for (const Check& check : check_trust(session, subject)) checks.push_back(to_json(check));
  // Names of files and variables of processes may be no UTF-8.
  report = json::parse(report.dump(-1, ' ', false, json::error_handler_t::replace));
  present(session, report, print_report);
  return verdict(report);
}

int run_doctor(const Session& session, const std::string& subject) {
  const bool is_pid = !subject.empty() &&
                      std::all_of(subject.begin(), subject.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  const Request request{.target = std::string(wire::route::kDoctor) +
                                  query({{"unit", is_pid ? "" : subject}, {"pid", is_pid ? subject : ""}})};
  const Result<Answer> answer = Client(session.socket).ask(request);
  if (!answer) {
    tell(session, subject, local_report(session, answer.error()));
    return code(wire::Exit::unreachable);
  }
  if (answer->status / 100 != 2) return complain(session, *answer);
  const json report = json::parse(answer->body, nullptr, false);
  if (!report.is_object())
    return complain(session, "the daemon's answer is no JSON; is it of the same version?", wire::Exit::refused);
  return tell(session, subject, report);
}

}  // namespace

void declare_doctor(CLI::App& app, Session& session, Action& chosen) {
  auto subject = std::make_shared<std::string>();
  app.add_option("target", *subject, "a unit or a process to look at, too")->type_name("UNIT|PID");
  app.callback(
      [subject, &session, &chosen] { chosen = [subject, &session] { return run_doctor(session, *subject); }; });
}

}  // namespace lunar::cli
