#include "cli/trust_keytool.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <sstream>

#include "agent/config/durable_file.h"
#include "cli/trust_program.h"

namespace lunar::cli {
namespace {

constexpr const char* usual_password = "changeit";
constexpr std::array<const char*, 4> jdk_folders{"/usr/lib/jvm", "/usr/java", "/opt", "/opt/java"};

// What others may write is not run: it would run as root.
bool is_of_root(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == 0 &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::vector<KeystoreEntry> parse_entries(const std::string& listing) {
  constexpr std::string_view mark = "Alias name: ";
  std::vector<KeystoreEntry> out;
  std::istringstream lines(listing);
  std::string pem;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(mark)) {
      out.push_back({line.substr(mark.size()), ""});
      pem.clear();
    } else if (!out.empty() && out.back().fingerprint.empty()) {
      pem += line + "\n";
      if (!line.starts_with("-----END ")) continue;
      const std::set<std::string> found = fingerprints_in(pem);
      if (!found.empty()) out.back().fingerprint = *found.begin();
    }
  }
  return out;
}

std::multiset<std::string> fingerprints_of(const std::vector<KeystoreEntry>& entries) {
  std::multiset<std::string> out;
  for (const KeystoreEntry& entry : entries) out.insert(entry.fingerprint);
  return out;
}

Result<std::string> content(const std::string& path) {
  auto file = read_whole_file(path, largest_trust_file);
  if (!file) return std::unexpected(file.error());
  return std::move(file->text);
}

}  // namespace

std::optional<Keytool> Keytool::find() {
  if (std::string path = find_program("keytool"); !path.empty()) return Keytool(std::move(path));
  const FileTree machine;
  for (const char* base : jdk_folders) {
    for (const std::string& name : machine.names(base)) {
      std::string path = below(below(base, name), "bin/keytool");
      if (is_of_root(path)) return Keytool(std::move(path));
    }
  }
  return std::nullopt;
}

Result<std::string> Keytool::run(std::vector<std::string> words) const {
  words.insert(words.begin(), {path_, "-J-Duser.language=en", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"});
  auto ended = run_program({.words = std::move(words)});
  if (!ended) return std::unexpected(ended.error());
  if (ended->code == 0) return std::move(ended->out);
  // It says what went wrong on its output.
  return fail("keytool failed: " + ProgramEnd{ended->code, ended->out, ""}.reason());
}

Result<KeystoreContent> Keytool::open(std::string bytes) const {
  const TemporaryFolder folder;
  const std::string file = folder.file("keystore");
  if (auto written = write_durably(file, bytes, 0600); !written) return std::unexpected(written.error());
  auto listing = run({"-list", "-rfc", "-keystore", file, "-storepass", usual_password});
  if (!listing) return std::unexpected(listing.error());
  return KeystoreContent{std::move(bytes), parse_entries(*listing)};
}

Result<std::string> Keytool::checked(const std::string& file, const std::multiset<std::string>& expected) const {
  auto bytes = content(file);
  if (!bytes) return bytes;
  auto after = open(std::move(*bytes));
  if (!after) return std::unexpected(after.error());
  if (fingerprints_of(after->entries) == expected) return std::move(after->bytes);
  return fail("keytool changed other entries: nothing was replaced");
}

Result<std::string> Keytool::with(const KeystoreContent& keystore, std::span<const Root> roots) const {
  const TemporaryFolder folder;
  const std::string file = folder.file("keystore");
  const std::string pem = folder.file("root.pem");
  if (auto written = write_durably(file, keystore.bytes, 0600); !written) return std::unexpected(written.error());
  std::multiset<std::string> expected = fingerprints_of(keystore.entries);
  for (const Root& root : roots) {
    if (auto written = write_durably(pem, root.pem, 0600); !written) return std::unexpected(written.error());
    auto added = run({"-importcert", "-noprompt", "-alias", root.name(), "-file", pem, "-keystore", file, "-storepass",
                      usual_password});
    if (!added) return added;
    expected.insert(root.fingerprint);
  }
  return checked(file, expected);
}

Result<std::string> Keytool::without(const KeystoreContent& keystore, std::span<const std::string> aliases) const {
  const TemporaryFolder folder;
  const std::string file = folder.file("keystore");
  if (auto written = write_durably(file, keystore.bytes, 0600); !written) return std::unexpected(written.error());
  for (const std::string& alias : aliases) {
    auto removed = run({"-delete", "-alias", alias, "-keystore", file, "-storepass", usual_password});
    if (!removed) return removed;
  }
  std::vector<KeystoreEntry> rest = keystore.entries;
  std::erase_if(rest,
                [&](const KeystoreEntry& entry) { return std::ranges::find(aliases, entry.alias) != aliases.end(); });
  return checked(file, fingerprints_of(rest));
}

Result<std::string> Keytool::combined(const KeystoreContent& keystore, std::span<const Root> roots) const {
  const TemporaryFolder folder;
  const std::string from = folder.file("from");
  const std::string to = folder.file("to.jks");
  if (auto written = write_durably(from, keystore.bytes, 0600); !written) return std::unexpected(written.error());
  auto converted = run({"-importkeystore", "-noprompt", "-srckeystore", from, "-srcstorepass", usual_password,
                        "-destkeystore", to, "-deststoretype", "JKS", "-deststorepass", usual_password});
  if (!converted) return converted;
  auto bytes = content(to);
  if (!bytes) return bytes;
  std::vector<Root> missing;
  const std::multiset<std::string> known = fingerprints_of(keystore.entries);
  std::ranges::copy_if(roots, std::back_inserter(missing),
                       [&](const Root& root) { return !known.contains(root.fingerprint); });
  return with({std::move(*bytes), keystore.entries}, missing);
}

std::vector<Keystore> keystores(const FileTree& tree) {
  std::vector<std::string> paths{"/etc/ssl/certs/java/cacerts"};  // of Debian, for all of its JDKs
  for (const char* base : jdk_folders) {
    for (const std::string& name : tree.names(base))
      for (const char* list : {"lib/security/cacerts", "jre/lib/security/cacerts"})
        paths.push_back(below(below(base, name), list));
  }
  std::vector<Keystore> out;
  for (const std::string& path : paths) {
    const auto place = tree.place(path);
    const auto same = [&](const Keystore& other) { return other.place == *place; };
    if (place && std::ranges::none_of(out, same)) out.push_back({path, *place});
  }
  return out;
}

}  // namespace lunar::cli
