// ca install, ca uninstall
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <ostream>

#include "cli/ca.h"
#include "cli/trust_store.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct Change {
  std::string folder;
  std::string root = "/";
  std::vector<std::string> nss;
  bool dry_run = false;
};

using Part = std::vector<Step> (*)(const TrustTask&);

json to_json(const std::vector<Step>& steps, bool dry_run) {
  json list = json::array();
  for (const Step& step : steps)
    list.push_back({{"effect", name_of(step.effect)}, {"place", step.place}, {"text", step.text}});
  return {{"dry_run", dry_run}, {"steps", std::move(list)}};
}

// `would be added` in a dry run.
void print_steps(const Session& session, const json& document) {
  const Palette palette = session.palette();
  const bool dry_run = document.at("dry_run");
  for (const json& step : document.at("steps")) {
    const std::string effect = step.at("effect");
    const bool done = effect == "added" || effect == "removed";
    std::string word = done && dry_run ? "would be " + effect : effect;
    word.resize(dry_run ? 16 : 9, ' ');
    const std::string painted = done                  ? palette.good(word)
                                : effect == "failed"  ? palette.bad(word)
                                : effect == "skipped" ? palette.warning(word)
                                                      : word;
    session.terminal.out << painted << "  " << printable(step.at("place").get<std::string>()) << ": "
                         << printable(step.at("text").get<std::string>()) << '\n';
  }
}

// The stores in this order, since the system's feeds others by its hooks.
int run_parts(const Session& session, const TrustTask& task, std::initializer_list<Part> parts) {
  if (task.tree.is_this_machine() && !task.dry_run && ::geteuid() != 0)
    return complain(session, "trust stores belong to root: run as root, or look at --dry-run", wire::Exit::permission);
  std::vector<Step> steps;
  for (const Part part : parts) std::ranges::move(part(task), std::back_inserter(steps));
  const int out = present(session, to_json(steps, task.dry_run), print_steps);
  const bool failed = std::ranges::any_of(steps, [](const Step& step) { return step.effect == Effect::failed; });
  return failed ? code(wire::Exit::refused) : out;
}

TrustTask task_of(const Change& asked, std::vector<Root> roots) {
  TrustTask out{.tree = tree_at(asked.root), .roots = std::move(roots)};
  for (const std::string& folder : asked.nss) out.nss.push_back(std::filesystem::absolute(folder));
  out.dry_run = asked.dry_run;
  return out;
}

int install(const Session& session, const Change& asked) {
  auto ca = open_ca(session, asked.folder);
  if (!ca) return ca.error();
  return run_parts(session, task_of(asked, std::move(ca->roots)), {add_to_system, add_to_java, add_to_nss});
}

// Needs no authority: what was installed is known by its name, also when its authority is gone.
int uninstall(const Session& session, const Change& asked) {
  std::vector<Root> roots;
  if (!asked.folder.empty()) {
    auto ca = open_ca(session, asked.folder);
    if (!ca) return ca.error();
    roots = std::move(ca->roots);
  }
  return run_parts(session, task_of(asked, std::move(roots)), {remove_from_system, remove_from_java, remove_from_nss});
}

void declare(CLI::App& word, Session& session, Action& chosen, const std::shared_ptr<Change>& asked,
             int (*run)(const Session&, const Change&)) {
  word.add_option("--nss", asked->nss, "a folder with an NSS database, or a home folder with some")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  word.add_flag("--dry-run", asked->dry_run, "only say what would be done");
  add_root(word, asked->root);
  word.callback([asked, run, &session, &chosen] { chosen = [asked, run, &session] { return run(session, *asked); }; });
}

}  // namespace

void declare_ca_stores(CLI::App& app, Session& session, Action& chosen) {
  auto installed = std::make_shared<Change>();
  declare(
      *add_word(app, {"install", "add the roots to the stores of the system, of Java and of NSS"}, installed->folder),
      session, chosen, installed, install);
  auto uninstalled = std::make_shared<Change>();
  declare(*add_word(app,
                    {"uninstall", "take away what `install` added",
                     "take away the roots of the authority in this folder alone"},
                    uninstalled->folder),
          session, chosen, uninstalled, uninstall);
}

}  // namespace lunar::cli
