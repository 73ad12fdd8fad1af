// The lists of roots of JDKs.
#include <algorithm>
#include <iterator>
#include <optional>

#include "agent/config/durable_file.h"
#include "cli/trust_keytool.h"
#include "cli/trust_store.h"

namespace lunar::cli {
namespace {

struct OpenKeystore {
  KeystoreContent content;
  uint32_t mode;
};

Result<OpenKeystore> open_keystore(const Keytool& keytool, const std::string& place) {
  auto file = read_whole_file(place, largest_trust_file);
  if (!file) return std::unexpected(file.error());
  auto content = keytool.open(std::move(file->text));
  if (!content) return std::unexpected(content.error());
  return OpenKeystore{std::move(*content), file->mode};
}

// `bytes`, in place of what is there. A JVM that starts meanwhile sees the one or the other.
Result<> replace(const std::string& place, uint32_t mode, const Result<std::string>& bytes) {
  if (!bytes) return std::unexpected(bytes.error());
  return replace_durably(place, place + ".lunar-new", *bytes, mode);
}

const KeystoreEntry* find(const std::vector<KeystoreEntry>& entries, const std::string& fingerprint) {
  const auto found = std::ranges::find(entries, fingerprint, &KeystoreEntry::fingerprint);
  return found == entries.end() ? nullptr : &*found;
}

std::vector<Step> add(const TrustTask& task, const Keytool& keytool, const std::string& place) {
  const auto store = open_keystore(keytool, place);
  if (!store) return {failed_step(place, store.error())};
  std::vector<Step> out;
  std::vector<Root> missing;
  for (const Root& root : task.roots) {
    if (const KeystoreEntry* entry = find(store->content.entries, root.fingerprint))
      out.push_back({Effect::unchanged, place, "has it already: " + entry->alias});
    else
      missing.push_back(root);
  }
  if (missing.empty()) return out;
  if (!task.dry_run) {
    const Result<> replaced = replace(place, store->mode, keytool.with(store->content, missing));
    if (!replaced) return {failed_step(place, replaced.error())};
  }
  for (const Root& root : missing) out.push_back({Effect::added, place, root.name()});
  return out;
}

// As `ca install` calls it, or as Debian's hook does, which does not take away what it added.
bool is_ours(const KeystoreEntry& entry) {
  const std::string name = store_name(entry.fingerprint);
  return entry.alias == name || entry.alias == "debian:" + name + ".pem";
}

std::vector<Step> remove(const TrustTask& task, const Keytool& keytool, const std::string& place) {
  const auto store = open_keystore(keytool, place);
  if (!store) return {failed_step(place, store.error())};
  std::vector<std::string> aliases;
  for (const KeystoreEntry& entry : store->content.entries)
    if (is_ours(entry) && task.concerns(entry.fingerprint)) aliases.push_back(entry.alias);
  if (aliases.empty()) return {{Effect::unchanged, place, "has no root that was installed"}};
  if (!task.dry_run) {
    const Result<> replaced = replace(place, store->mode, keytool.without(store->content, aliases));
    if (!replaced) return {failed_step(place, replaced.error())};
  }
  std::vector<Step> out;
  for (const std::string& alias : aliases) out.push_back({Effect::removed, place, alias});
  return out;
}

std::vector<Step> each_store(const TrustTask& task,
                             std::vector<Step> (*change)(const TrustTask&, const Keytool&, const std::string&)) {
  const std::vector<Keystore> stores = keystores(task.tree);
  if (stores.empty()) return {{Effect::skipped, "Java", "no JDK has a list of roots here"}};
  const std::optional<Keytool> keytool = Keytool::find();
  std::vector<Step> out;
  for (const Keystore& store : stores) {
    if (!keytool) {
      out.push_back({Effect::skipped, store.place, "keytool is not installed: it comes with a JDK or JRE"});
      continue;
    }
    std::ranges::move(change(task, *keytool, store.place), std::back_inserter(out));
  }
  return out;
}

}  // namespace

std::vector<Step> add_to_java(const TrustTask& task) { return each_store(task, add); }

std::vector<Step> remove_from_java(const TrustTask& task) { return each_store(task, remove); }

}  // namespace lunar::cli
