// The words of `lunarctl ca`, and what they have in common. All of them work on files; lunard notices a new authority
// by itself.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "agent/net/authority.h"
#include "cli/trust_roots.h"
#include "cli/verbs.h"

namespace lunar::cli {

[[nodiscard]] WallTime wall_now();

// Of the lunard.yaml in this folder; absolute. The error says what is wrong with that file.
[[nodiscard]] Result<std::string> configured_ca_folder(const std::string& config_dir);
// The folder `given`, or the configured one where it is empty. Else the exit code, with the reason printed.
[[nodiscard]] std::expected<std::string, int> ca_folder(const Session& session, const std::string& given);

struct Ca {
  std::string folder;
  LocalAuthority authority;
  std::vector<Root> roots;
};
// Else the exit code, with the reason printed.
[[nodiscard]] std::expected<Ca, int> open_ca(const Session& session, const std::string& folder_given);

// Of files: refused, or permission where the kernel said so.
int complain_of_files(const Session& session, const Error& error);

// {"folder","subject","issuer","fingerprint","not_before","not_after","permitted","roots"}
[[nodiscard]] nlohmann::json description_of(const Ca& ca);
void print_description(const Session& session, const nlohmann::json& description);

// A word of `ca` with --dir.
struct CaWord {
  const char* name;
  const char* summary;
  const char* dir = "folder of the authority; absent: tls.ca_dir of lunard.yaml";  // what --dir is
};
[[nodiscard]] CLI::App* add_word(CLI::App& app, const CaWord& word, std::string& folder_given);

// --root, for words that read or write what belongs to the machine.
void add_root(CLI::App& word, std::string& root);
[[nodiscard]] FileTree tree_at(const std::string& root);

// Each file declares its words.
void declare_ca_making(CLI::App& app, Session& session, Action& chosen);   // init, rotate
void declare_ca_reading(CLI::App& app, Session& session, Action& chosen);  // show, bundle
void declare_ca_stores(CLI::App& app, Session& session, Action& chosen);   // install, uninstall
void declare_ca_env(CLI::App& app, Session& session, Action& chosen);      // env

}  // namespace lunar::cli
