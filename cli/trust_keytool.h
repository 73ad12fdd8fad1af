// Java's keystores as values, through the one program that reads and writes all their formats.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/trust_roots.h"
#include "cli/trust_tree.h"
#include "flowengine/result.h"

namespace lunar::cli {

struct KeystoreEntry {
  std::string alias;
  std::string fingerprint;
};

struct KeystoreContent {
  std::string bytes;
  std::vector<KeystoreEntry> entries;
};

// Opens keystores without a password or with `changeit`, the one that every JDK ships. Each call starts some JVMs.
class Keytool {
 public:
  // Of PATH, or of a JDK of this machine that belongs to root; nothing: there is none.
  [[nodiscard]] static std::optional<Keytool> find();

  [[nodiscard]] Result<KeystoreContent> open(std::string bytes) const;
  // The bytes of a keystore that has every other entry of `keystore`, which is checked.
  [[nodiscard]] Result<std::string> with(const KeystoreContent& keystore, std::span<const Root> roots) const;
  [[nodiscard]] Result<std::string> without(const KeystoreContent& keystore,
                                            std::span<const std::string> aliases) const;
  // In the format JKS, which needs no password to be read, with those roots that it lacks.
  [[nodiscard]] Result<std::string> combined(const KeystoreContent& keystore, std::span<const Root> roots) const;

 private:
  explicit Keytool(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::string> run(std::vector<std::string> words) const;
  // The bytes of a keystore file, if it has these entries and no others.
  [[nodiscard]] Result<std::string> checked(const std::string& file, const std::multiset<std::string>& expected) const;
  std::string path_;
};

// The lists of roots (cacerts) of the JDKs in the usual places, each once, and where it lies for this process.
struct Keystore {
  std::string path;   // in the tree
  std::string place;  // for this process, links followed
};
[[nodiscard]] std::vector<Keystore> keystores(const FileTree& tree);

}  // namespace lunar::cli
