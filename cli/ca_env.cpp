// ca env
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/ca.h"
#include "cli/trust_environment.h"
#include "cli/trust_program.h"
#include "cli/trust_store.h"
#include "cli/trust_unit.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct Asked {
  std::string folder;
  std::string root = "/";
  std::string unit;
  bool undo = false;
};

// What the operator is told of a unit.
struct Report {
  std::string unit;
  std::string path;
  bool changed = false;
  Assignments assignments;
  std::vector<std::string> notes;
};

json to_json(const Assignments& assignments) {
  json out = json::object();
  for (const auto& [name, value] : assignments) out[name] = value;
  return out;
}

// A folder on the way to the files that other users cannot pass; empty if there is none.
std::string closed_folder(const std::string& folder) {
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    std::string part = folder.substr(0, end);
    struct stat status{};
    if (::stat(part.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return part;
    if (end == std::string::npos) return {};
  }
}

std::vector<std::string> notes_of(const TrustEnvironment& environment, const std::string& folder) {
  std::vector<std::string> out;
  if (!environment.note.empty()) out.push_back(environment.note);
  if (const std::string closed = closed_folder(folder); !closed.empty())
    out.push_back("programs of other users cannot reach these files: chmod o+x " + closed);
  return out;
}

void print_notes(const Session& session, const std::vector<std::string>& notes) {
  for (const std::string& note : notes)
    session.terminal.err << Palette(session.terminal.color).warning("note:") << ' ' << printable(note) << '\n';
}

int print_variables(const Session& session, const TrustEnvironment& environment, const std::string& folder) {
  const std::vector<std::string> notes = notes_of(environment, folder);
  if (session.json) {
    const json document{{"environment", to_json(environment.variables)}, {"notes", notes}};
    session.terminal.out << document.dump(2) << '\n';
    return code(wire::Exit::ok);
  }
  for (const auto& [name, value] : environment.variables) session.terminal.out << name << '=' << value << '\n';
  print_notes(session, notes);
  return code(wire::Exit::ok);
}

// systemd reads units when it is told to; the processes of the unit have their environment already.
std::string reload(const FileTree& tree, const std::string& unit) {
  const std::string restart = "systemctl restart " + unit;
  std::string both = "run: systemctl daemon-reload && " + restart;
  if (!tree.is_this_machine() || !tree.is_folder("/run/systemd/system")) return both;
  const std::string systemctl = find_program("systemctl");
  if (systemctl.empty()) return both;
  const auto ended = run_program({.words = {systemctl, "daemon-reload"}});
  if (!ended || ended->code != 0)
    return "systemctl daemon-reload failed (" + (ended ? ended->reason() : full_text(ended.error())) + "); " + both;
  return "systemd has read it; it takes effect with: " + restart;
}

int print_report(const Session& session, const Report& report, const std::string& next) {
  if (session.json) {
    const json document{{"unit", report.unit},
                        {"file", report.path},
                        {"changed", report.changed},
                        {"environment", to_json(report.assignments)},
                        {"notes", report.notes}};
    session.terminal.out << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    return code(wire::Exit::ok);
  }
  const bool is_there = !report.assignments.empty();
  session.terminal.out << printable(report.path)
                       << (report.changed ? is_there ? " is written\n" : " is removed\n"
                           : is_there     ? " is up to date\n"
                                          : " is not there\n");
  for (const auto& [name, value] : report.assignments)
    session.terminal.out << "  " << name << '=' << printable(value) << '\n';
  print_notes(session, report.notes);
  if (report.changed) session.terminal.out << next << '\n';
  return code(wire::Exit::ok);
}

std::string loss(const std::string& name, const std::string& how, const std::string& value) {
  return name + " is " + how + ": set it there to " + value;
}

// Variables that do not come out as planned, because something is read after our drop-in.
void note_losses(const FileTree& tree, Report& report, const std::string& text) {
  const UnitEnvironment result = environment_of(unit_files(tree, report.unit, text), section_of(report.unit));
  const auto by_files = variables_of_files(tree, result);
  for (const auto& [name, value] : report.assignments) {
    const auto last = result.variables.find(name);
    if (const auto file = by_files.find(name); file != by_files.end())
      report.notes.push_back(loss(name, "set by " + file->second + ", which wins over the unit", value));
    else if (last == result.variables.end())
      report.notes.push_back(loss(name, "taken back by a drop-in that is read after ours", value));
    else if (last->second.value != value)
      report.notes.push_back(loss(name, "set by " + last->second.path + ", which is read after ours", value));
  }
}

int undo(const Session& session, const FileTree& tree, const std::string& unit) {
  const auto removed = remove_dropin(tree, unit);
  if (!removed) return complain_of_files(session, removed.error());
  const Report report{.unit = unit, .path = tree.outside(dropin_path(unit)), .changed = *removed};
  return print_report(session, report, *removed ? reload(tree, unit) : "");
}

int set_unit(const Session& session, const Ca& ca, const FileTree& tree, const std::string& unit) {
  const std::vector<UnitFile> files = unit_files(tree, unit);
  if (files.empty())
    return complain(session, "there is no unit " + unit + " here; look for its name: systemctl list-units",
                    wire::Exit::refused);
  const auto environment = write_trust_environment(ca.folder, tree, ca.roots);
  if (!environment) return complain_of_files(session, environment.error());
  DropinPlan plan = plan_dropin(environment_of(files, section_of(unit)), environment->variables);
  Report report{.unit = unit, .path = tree.outside(dropin_path(unit)), .notes = notes_of(*environment, ca.folder)};
  std::ranges::move(plan.notes, std::back_inserter(report.notes));
  report.assignments = std::move(plan.assignments);
  const std::string text = dropin_text(unit, report.assignments);
  const auto changed = report.assignments.empty() ? remove_dropin(tree, unit) : write_dropin(tree, unit, text);
  if (!changed) return complain_of_files(session, changed.error());
  report.changed = *changed;
  note_losses(tree, report, text);
  return print_report(session, report, *changed ? reload(tree, unit) : "");
}

int env(const Session& session, const Asked& asked) {
  const FileTree tree = tree_at(asked.root);
  const std::string unit = unit_name(asked.unit);
  if (!asked.unit.empty() && unit.empty())
    return complain(session, "name a unit that starts programs, such as shop.service", wire::Exit::usage);
  if (asked.undo) return undo(session, tree, unit);
  const auto ca = open_ca(session, asked.folder);
  if (!ca) return ca.error();
  if (!unit.empty()) return set_unit(session, *ca, tree, unit);
  const auto environment = write_trust_environment(ca->folder, tree, ca->roots);
  return environment ? print_variables(session, *environment, ca->folder)
                     : complain_of_files(session, environment.error());
}

}  // namespace

void declare_ca_env(CLI::App& app, Session& session, Action& chosen) {
  auto asked = std::make_shared<Asked>();
  CLI::App* word =
      add_word(app, {"env", "print the variables of programs that have roots of their own, or set them for a unit"},
               asked->folder);
  CLI::Option* unit =
      word->add_option("--unit", asked->unit, "set them for this unit, by a drop-in file")->type_name("UNIT");
  word->add_flag("--undo", asked->undo, "remove that drop-in file")->needs(unit);
  add_root(*word, asked->root);
  word->callback([asked, &session, &chosen] { chosen = [asked, &session] { return env(session, *asked); }; });
}

}  // namespace lunar::cli
