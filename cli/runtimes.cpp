#include "cli/runtimes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <tuple>

#include "cli/trust_certutil.h"
#include "cli/trust_keytool.h"

namespace lunar::cli {
namespace {

constexpr size_t most_shown_pids = 3;
constexpr std::time_t clock_error = 1;  // of a process's beginning, in seconds

enum class Presence : uint8_t { there, since_then, missing, unknown };

struct Finding {
  Presence presence;
  std::string why = {};  // it is unknown
};

bool is_hash_name(const std::string& name) {
  const size_t dot = name.find('.');
  return dot == 8 && dot + 1 < name.size() &&
         std::all_of(name.begin(), name.begin() + 8, [](unsigned char c) { return std::isxdigit(c) != 0; }) &&
         std::all_of(name.begin() + 9, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool folder_has(const FileTree& tree, const StorePlace& place, const Root& root) {
  for (const std::string& name : tree.names(place.path)) {
    if (place.kind == StoreKind::hashed && !is_hash_name(name)) continue;
    const auto text = tree.read(place.path + "/" + name);
    if (text && fingerprints_in(*text).contains(root.fingerprint)) return true;
  }
  return false;
}

Finding in_keystore(std::string bytes, const Root& root) {
  const auto keytool = Keytool::find();
  if (!keytool) return {Presence::unknown, "keytool is not installed"};
  const auto keystore = keytool->open(std::move(bytes));
  if (!keystore) return {Presence::unknown, keystore.error().text};
  const auto& entries = keystore->entries;
  const bool found = std::ranges::find(entries, root.fingerprint, &KeystoreEntry::fingerprint) != entries.end();
  return {found ? Presence::there : Presence::missing};
}

Finding in_database(std::string_view bytes, const Root& root) {
  const auto certutil = Certutil::find();
  if (!certutil) return {Presence::unknown, no_certutil};
  const auto entries = certutil->entries_of(bytes);
  if (!entries) return {Presence::unknown, entries.error().text};
  const auto found = std::ranges::find(*entries, root.fingerprint, &NssEntry::fingerprint);
  return {found != entries->end() && found->trusted ? Presence::there : Presence::missing};
}

Finding in_bytes(StoreKind kind, std::string bytes, const Root& root) {
  if (kind == StoreKind::keystore) return in_keystore(std::move(bytes), root);
  if (kind == StoreKind::database) return in_database(bytes, root);
  return {fingerprints_in(bytes).contains(root.fingerprint) ? Presence::there : Presence::missing};
}

Finding look(const Process& process, const StorePlace& place, const Root& root) {
  const FileTree tree = process.tree();
  const bool is_database = place.kind == StoreKind::database;
  const std::string file = is_database ? below(place.path, "cert9.db") : place.path;
  if (tree.is_folder(file)) return {folder_has(tree, place, root) ? Presence::there : Presence::missing};
  auto bytes = tree.read(file);
  if (!bytes && (bytes.error().os_error == ENOENT || bytes.error().os_error == ENOTDIR)) return {Presence::missing};
  if (!bytes) return {Presence::unknown, std::strerror(bytes.error().os_error)};
  Finding out = in_bytes(place.kind, std::move(*bytes), root);
  // A database is looked into again and again; the others are read once.
  const bool is_new = !is_database && tree.changed(file).value_or(0) > process.began + clock_error;
  if (out.presence == Presence::there && is_new) out.presence = Presence::since_then;
  return out;
}

std::string text_of(const StorePlace& place) {
  return place.path + (place.reason.empty() ? "" : " (" + place.reason + ")");
}

std::string restart_of(const Process& process) {
  return process.unit.empty() ? "start it again" : "systemctl restart " + process.unit;
}

// What makes a process believe a root that is missing.
std::string way_out(const Process& process, const TrustUse& use) {
  if (process.in_container) return "put the roots of `lunarctl ca bundle` into its image, and start it again";
  if (!use.places.empty() && use.places.front().kind == StoreKind::database)
    return "lunarctl ca install --nss " + use.places.front().path;
  if (!use.setting.empty() && process.unit.empty())
    return "start it with the variables of `lunarctl ca env`, here " + use.setting;
  if (!use.setting.empty()) return "lunarctl ca env --unit " + process.unit + ", then " + restart_of(process);
  for (const StorePlace& place : use.places)
    if (!place.reason.empty())
      return "add the roots of `lunarctl ca bundle` to " + place.path + ", then " + restart_of(process);
  return "lunarctl ca install, then " + restart_of(process);
}

Check check_use(const Process& process, const TrustUse& use, const Root& root) {
  Check out{.name = process.name(), .level = Level::warning, .text = use.runtime, .hint = ""};
  std::string missing;
  std::string unknown;
  std::string late;
  for (const StorePlace& place : use.places) {
    const Finding finding = look(process, place, root);
    if (finding.presence == Presence::there)
      return {process.name(), Level::ok, use.runtime + " finds our root in " + text_of(place), ""};
    std::string& list = finding.presence == Presence::missing   ? missing
                        : finding.presence == Presence::unknown ? unknown
                                                                : late;
    list += (list.empty() ? "" : " and ") + text_of(place);
    if (!finding.why.empty()) unknown += ": " + finding.why;
  }
  if (!late.empty()) {
    out.text += " may have read " + late + " before our root was in it";
    out.hint = restart_of(process);
  } else if (!unknown.empty()) {
    out.text += " looks for roots where nobody can look now: " + unknown;
    out.hint = "mend that, then ask again";
  } else {
    out.text += missing.empty() ? " does not know our root: it has a list of its own"
                                : " does not know our root: it is not in " + missing;
    out.hint = way_out(process, use);
  }
  return out;
}

// Checks that differ in the process alone are one.
class Report {
 public:
  void add(const Check& check, uint32_t pid) {
    pids_[{check.level, check.name, check.text, check.hint}].push_back(pid);
  }

  [[nodiscard]] std::vector<Check> checks() const {
    std::vector<Check> out;
    for (const auto& [key, pids] : pids_) {
      const auto& [level, name, text, hint] = key;
      std::string shown;
      for (size_t i = 0; i < std::min(pids.size(), most_shown_pids); ++i)
        shown.append(i == 0 ? "" : ", ").append(std::to_string(pids[i]));
      if (pids.size() > most_shown_pids)
        shown.append(" and ").append(std::to_string(pids.size() - most_shown_pids)).append(" more");
      out.push_back({std::string(name).append(" (").append(shown).append(")"), level, text, hint});
    }
    return out;
  }

 private:
  std::map<std::tuple<Level, std::string, std::string, std::string>, std::vector<uint32_t>> pids_;
};

std::optional<uint32_t> pid_of(const std::string& target) {
  uint32_t pid = 0;
  const char* end = target.data() + target.size();
  const auto [last, error] = std::from_chars(target.data(), end, pid);
  if (error != std::errc{} || last != end) return std::nullopt;
  return pid;
}

void check_process(Report& report, uint32_t pid, const Root& root) {
  const auto process = look_at_process(pid);
  if (!process && (process.error().os_error == EACCES || process.error().os_error == EPERM))
    return report.add({"process", Level::warning, "its files in /proc cannot be read", "run as root"}, pid);
  if (!process) return;  // it has ended meanwhile
  const std::vector<TrustUse> uses = trust_uses(*process);
  if (uses.empty()) report.add({process->name(), Level::ok, "has no TLS library that is known here", ""}, pid);
  for (const TrustUse& use : uses) report.add(check_use(*process, use, root), pid);
}

}  // namespace

std::vector<Check> check_trust_of(const std::string& target, const Root& root) {
  const std::optional<uint32_t> pid = pid_of(target);
  Report report;
  for (const uint32_t one : pid ? std::vector{*pid} : processes_of(target)) check_process(report, one, root);
  std::vector<Check> out = report.checks();
  if (out.empty())
    out.push_back({target, Level::warning,
                   pid ? "has ended, or is a thread of the kernel" : "no process is in a cgroup of this name",
                   "start it, and ask again"});
  return out;
}

Check check_trust_of_system(const FileTree& tree, const Root& root) {
  const auto text = tree.read(system_bundle);
  if (text && fingerprints_in(*text).contains(root.fingerprint))
    return {"system's roots", Level::ok, "have the root of the local authority", ""};
  return {"system's roots", Level::warning,
          "lack the root of the local authority; programs that believe them are passed through unopened",
          "lunarctl ca install"};
}

}  // namespace lunar::cli
