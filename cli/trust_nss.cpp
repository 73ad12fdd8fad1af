// The databases of NSS: that of the machine, and those of users that were named.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "cli/trust_certutil.h"
#include "cli/trust_store.h"

namespace lunar::cli {
namespace {

constexpr const char* machine_folder = "/etc/pki/nssdb";
// Below a home folder: those of profiles are one folder deeper.
constexpr const char* shared_folder = "/.pki/nssdb";
constexpr std::array<const char*, 2> profile_folders{"/.mozilla/firefox", "/snap/firefox/common/.mozilla/firefox"};

bool has_database(const FileTree& tree, const std::string& folder) {
  return tree.place(folder + "/cert9.db").has_value();
}

// The folder itself, or what a home folder has.
std::vector<std::string> databases_of(const FileTree& tree, const std::string& folder) {
  if (has_database(tree, folder)) return {folder};
  std::vector<std::string> candidates{folder + shared_folder};
  for (const char* profiles : profile_folders)
    for (const std::string& name : tree.names(folder + profiles)) candidates.push_back(below(folder + profiles, name));
  std::erase_if(candidates, [&tree](const std::string& one) { return !has_database(tree, one); });
  return candidates;
}

std::vector<Step> add(const TrustTask& task, const Certutil& certutil, const std::string& folder) {
  const auto entries = certutil.entries(folder);
  if (!entries) return {failed_step(folder, entries.error())};
  std::vector<Step> out;
  for (const Root& root : task.roots) {
    const auto entry = std::ranges::find(*entries, root.fingerprint, &NssEntry::fingerprint);
    if (entry != entries->end()) {
      out.push_back(entry->trusted
                        ? Step{Effect::unchanged, folder, "has it already: " + entry->nickname}
                        : Step{Effect::skipped, folder,
                               "has it as one that certifies no servers, which somebody chose: certutil -M -n '" +
                                   entry->nickname + "' -t C,, -d sql:" + folder});
    } else if (const Result<> added = task.dry_run ? Result<>() : certutil.add(folder, root); !added) {
      out.push_back(failed_step(folder, added.error()));
    } else {
      out.push_back({Effect::added, folder, root.name()});
    }
  }
  return out;
}

std::vector<Step> remove(const TrustTask& task, const Certutil& certutil, const std::string& folder) {
  const auto entries = certutil.entries(folder);
  if (!entries) return {failed_step(folder, entries.error())};
  std::vector<Step> out;
  for (const NssEntry& entry : *entries) {
    if (entry.nickname != store_name(entry.fingerprint) || !task.concerns(entry.fingerprint)) continue;
    const Result<> removed = task.dry_run ? Result<>() : certutil.remove(folder, entry.nickname);
    out.push_back(removed ? Step{Effect::removed, folder, entry.nickname} : failed_step(folder, removed.error()));
  }
  if (out.empty()) out.push_back({Effect::unchanged, folder, "has no root that was installed"});
  return out;
}

std::vector<Step> each_database(const TrustTask& task,
                                std::vector<Step> (*change)(const TrustTask&, const Certutil&, const std::string&)) {
  std::vector<Step> out;
  std::vector<std::string> folders;
  if (has_database(task.tree, machine_folder))
    folders.emplace_back(machine_folder);
  else
    out.push_back(
        {Effect::skipped, task.tree.outside(machine_folder), "there is no NSS database; name those of users by --nss"});
  for (const std::string& named : task.nss) {
    const std::vector<std::string> found = databases_of(task.tree, named);
    if (found.empty())
      out.push_back(failed_step(task.tree.outside(named), {"there is no NSS database (cert9.db) in it"}));
    std::ranges::copy(found, std::back_inserter(folders));
  }
  const std::optional<Certutil> certutil = Certutil::find();
  for (const std::string& folder : folders) {
    const std::string place = task.tree.place(folder).value_or(task.tree.outside(folder));
    if (!certutil)
      out.push_back({Effect::skipped, place, no_certutil});
    else
      std::ranges::move(change(task, *certutil, place), std::back_inserter(out));
  }
  return out;
}

}  // namespace

std::vector<Step> add_to_nss(const TrustTask& task) { return each_database(task, add); }

std::vector<Step> remove_from_nss(const TrustTask& task) { return each_database(task, remove); }

}  // namespace lunar::cli
