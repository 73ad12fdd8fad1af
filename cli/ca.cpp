#include "cli/ca.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <ostream>

#include "agent/config/load.h"
#include "agent/net/authority_files.h"
#include "agent/net/x509_values.h"
#include "cli/trust_store.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

std::string trimmed(std::string folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder;
}

std::string joined(const json& texts) {
  std::string out;
  for (const json& text : texts) out += (out.empty() ? "" : ", ") + printable(text.get<std::string>());
  return out;
}

}  // namespace

WallTime wall_now() { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

Result<std::string> configured_ca_folder(const std::string& config_dir) {
  CommandLine command_line;
  command_line.settings.emplace_back("config_dir", config_dir);
  const LoadedConfig loaded = load_lunard_config(command_line, {});
  if (const Diagnostic* first = loaded.diagnostics.first_error()) return fail(first->print());
  return trimmed(absolute(loaded.config.tls.ca_dir));
}

std::expected<std::string, int> ca_folder(const Session& session, const std::string& given) {
  if (!given.empty()) return trimmed(absolute(given));
  auto folder = configured_ca_folder(session.config_dir);
  if (folder) return std::move(*folder);
  return std::unexpected(
      complain(session, printable(folder.error().text) + "; correct it, or name the authority's folder: --dir",
               wire::Exit::refused));
}

std::expected<Ca, int> open_ca(const Session& session, const std::string& folder_given) {
  const auto folder = ca_folder(session, folder_given);
  if (!folder) return std::unexpected(folder.error());
  const WallTime now = wall_now();
  auto authority = read_authority(*folder, now);
  if (!authority) return std::unexpected(complain_of_files(session, authority.error()));
  auto roots = roots_of(*authority, now);
  if (!roots) return std::unexpected(complain_of_files(session, roots.error()));
  return Ca{.folder = *folder, .authority = std::move(*authority), .roots = std::move(*roots)};
}

int complain_of_files(const Session& session, const Error& error) {
  if (error.os_error == EACCES || error.os_error == EPERM)
    return complain(session, printable(full_text(error)) + "; run as root", wire::Exit::permission);
  // What is said of a missing authority is a whole sentence.
  const bool whole = error.os_error == ENOENT && error.text.starts_with("there is no ");
  return complain(session, printable(whole ? error.text : full_text(error)), wire::Exit::refused);
}

json description_of(const Ca& ca) {
  const AuthorityDescription& authority = ca.authority.describe();
  json roots = json::array();
  for (const Root& root : ca.roots) roots.push_back(root.fingerprint);
  return {{"folder", ca.folder},
          {"subject", authority.subject},
          {"issuer", authority.issuer},
          {"fingerprint", authority.fingerprint},
          {"not_before", date_text(authority.validity.not_before)},
          {"not_after", date_text(authority.validity.not_after)},
          {"permitted", authority.permitted},
          {"roots", std::move(roots)}};
}

void print_description(const Session& session, const json& description) {
  const auto text = [&description](const char* name) { return printable(description.at(name).get<std::string>()); };
  const auto line = [&session](std::string title, const std::string& value) {
    title.resize(13, ' ');
    session.terminal.out << session.palette().faint(title) << value << '\n';
  };
  const json& permitted = description.at("permitted");
  const size_t roots = description.at("roots").size();
  line("subject", text("subject"));
  if (description.at("issuer") != description.at("subject")) line("issuer", text("issuer"));
  line("fingerprint", text("fingerprint"));
  line("valid", text("not_before") + " to " + text("not_after"));
  line("names", permitted.empty() ? "any" : joined(permitted));
  line("roots", roots == 1 ? "its own" : "its own and " + plural(roots - 1, "earlier one"));
  line("folder", text("folder"));
}

CLI::App* add_word(CLI::App& app, const CaWord& word, std::string& folder_given) {
  CLI::App* out = app.add_subcommand(word.name, word.summary);
  out->fallthrough();
  out->add_option("--dir", folder_given, word.dir)->type_name("DIR");
  return out;
}

void add_root(CLI::App& word, std::string& root) {
  word.add_option("--root", root, "work on the system below this folder instead of this machine")
      ->type_name("FOLDER")
      ->capture_default_str();
}

FileTree tree_at(const std::string& root) { return FileTree(trimmed(absolute(root))); }

void declare_ca(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  declare_ca_making(app, session, chosen);
  declare_ca_reading(app, session, chosen);
  declare_ca_stores(app, session, chosen);
  declare_ca_env(app, session, chosen);
}

}  // namespace lunar::cli
