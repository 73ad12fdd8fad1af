// The system's store: /usr/local/share/ca-certificates, of which update-ca-certificates makes /etc/ssl/certs.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <set>

#include "agent/config/durable_file.h"
#include "cli/trust_program.h"
#include "cli/trust_store.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* local_folder = "/usr/local/share/ca-certificates";
constexpr const char* certificate_folder = "/etc/ssl/certs";
constexpr const char* nothing_to_change_it_with =
    "update-ca-certificates is not installed: apt install ca-certificates";

std::string path_of(const std::string& name) { return std::string(local_folder) + "/" + name + ".crt"; }

// Where the tree is another machine's, its folders and its hooks, and none of ours.
Result<> update(const FileTree& tree, const std::string& program) {
  std::vector<std::string> words{program};
  if (!tree.is_this_machine()) {
    for (const auto& [option, path] :
         std::array<std::pair<const char*, const char*>, 5>{{{"--certsconf", "/etc/ca-certificates.conf"},
                                                             {"--certsdir", "/usr/share/ca-certificates"},
                                                             {"--localcertsdir", local_folder},
                                                             {"--etccertsdir", certificate_folder},
                                                             {"--hooksdir", "/etc/ca-certificates/update.d"}}}) {
      words.emplace_back(option);
      words.push_back(tree.outside(path));
    }
  }
  const auto ended = run_program({.words = std::move(words)});
  if (!ended) return std::unexpected(ended.error());
  if (ended->code != 0) return fail("update-ca-certificates failed: " + ended->reason());
  return {};
}

std::set<std::string> trusted(const FileTree& tree) {
  const auto text = tree.read(system_bundle);
  return text ? fingerprints_in(*text) : std::set<std::string>();
}

struct Fresh {
  const Root* root;
  bool created;  // the file was not there before
};

Result<> write_root(const FileTree& tree, const Root& root) {
  const std::string file = tree.outside(path_of(root.name()));
  const auto before = tree.read(path_of(root.name()));
  if (before && !fingerprints_in(*before).contains(root.fingerprint))
    return fail("is not the certificate that its name says: move it away");
  std::error_code failed;
  fs::create_directories(fs::path(file).parent_path(), failed);
  if (failed) return fail("cannot create " + fs::path(file).parent_path().string(), failed.value());
  return replace_durably(file, file + ".new", root.pem, 0644);
}

// update-ca-certificates only takes away what it knows as deselected. A link to a file that is gone would stay in the
// folder that OpenSSL looks names up in, and so would the one by which it finds it.
Result<> remove_links(const FileTree& tree, const std::vector<std::string>& names) {
  const std::string folder = tree.outside(certificate_folder);
  for (const std::string& name : names) {
    std::error_code unreadable;
    const fs::path link = below(folder, name) + ".pem";
    if (fs::read_symlink(link, unreadable) == tree.outside(path_of(name))) ::unlink(link.c_str());
  }
  const std::string openssl = find_program("openssl");
  if (openssl.empty()) return fail("a link to it is left: openssl is not installed, and cannot rehash the folder");
  const auto ended = run_program({.words = {openssl, "rehash", folder}});
  if (!ended) return std::unexpected(ended.error());
  if (ended->code != 0) return fail("openssl rehash failed: " + ended->reason());
  return {};
}

struct Installed {
  std::string name;
  std::string pem;
};

std::vector<Installed> installed(const TrustTask& task) {
  std::vector<Installed> out;
  for (const std::string& file : task.tree.names(local_folder)) {
    const std::string name = file.ends_with(".crt") ? file.substr(0, file.size() - 4) : "";
    if (!name.starts_with("lunar-")) continue;
    const std::string text = task.tree.read(path_of(name)).value_or("");
    const std::set<std::string> found = fingerprints_in(text);
    if (found.size() == 1 && store_name(*found.begin()) == name && task.concerns(*found.begin()))
      out.push_back({name, text});
  }
  return out;
}

std::vector<Step> take_effect(const FileTree& tree, const std::string& program, const std::vector<Fresh>& fresh) {
  const Result<> updated = update(tree, program);
  const std::set<std::string> now = trusted(tree);
  const Error untaken{"update-ca-certificates did not put it into " + tree.outside(system_bundle)};
  std::vector<Step> out;
  std::vector<std::string> unwanted;
  for (const Fresh& one : fresh) {
    const std::string path = tree.outside(path_of(one.root->name()));
    if (updated && now.contains(one.root->fingerprint)) {
      out.push_back({Effect::added, path, "and update-ca-certificates"});
      continue;
    }
    if (one.created && ::unlink(path.c_str()) == 0) unwanted.push_back(one.root->name());
    out.push_back(failed_step(path, updated ? untaken : updated.error()));
  }
  if (unwanted.empty()) return out;
  if (auto removed = remove_links(tree, unwanted); !removed)
    out.push_back(failed_step(tree.outside(certificate_folder), removed.error()));
  return out;
}

}  // namespace

std::vector<Step> add_to_system(const TrustTask& task) {
  const std::string program = find_program("update-ca-certificates");
  if (program.empty()) return {{Effect::skipped, "system", nothing_to_change_it_with}};
  const std::set<std::string> known = trusted(task.tree);
  std::vector<Step> out;
  std::vector<Fresh> fresh;
  for (const Root& root : task.roots) {
    const std::string path = task.tree.outside(path_of(root.name()));
    const bool there = task.tree.place(path_of(root.name())).has_value();
    if (known.contains(root.fingerprint)) {
      out.push_back(there ? Step{Effect::unchanged, path, "is there already"}
                          : Step{Effect::unchanged, task.tree.outside(system_bundle), "has it, and not from here"});
    } else if (task.dry_run) {
      out.push_back({Effect::added, path, "and update-ca-certificates"});
    } else if (auto written = write_root(task.tree, root); !written) {
      out.push_back(failed_step(path, written.error()));
    } else {
      fresh.push_back({&root, !there});
    }
  }
  if (!fresh.empty()) std::ranges::move(take_effect(task.tree, program, fresh), std::back_inserter(out));
  return out;
}

std::vector<Step> remove_from_system(const TrustTask& task) {
  const std::vector<Installed> ours = installed(task);
  const std::string program = find_program("update-ca-certificates");
  const std::string folder = task.tree.outside(local_folder);
  if (ours.empty()) return {{Effect::unchanged, folder, "has no root that was installed"}};
  if (program.empty()) return {{Effect::skipped, "system", nothing_to_change_it_with}};
  std::vector<Step> out;
  std::vector<std::string> names;
  for (const Installed& one : ours) {
    const std::string path = task.tree.outside(path_of(one.name));
    const bool gone = task.dry_run || ::unlink(path.c_str()) == 0;
    out.push_back(gone ? Step{Effect::removed, path, "and update-ca-certificates"}
                       : failed_step(path, {"cannot remove it", errno}));
    if (gone && !task.dry_run) names.push_back(one.name);
  }
  if (names.empty()) return out;
  const Result<> updated = update(task.tree, program);
  if (updated) {
    if (auto removed = remove_links(task.tree, names); !removed)
      out.push_back(failed_step(task.tree.outside(certificate_folder), removed.error()));
    return out;
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    if (out[i].effect != Effect::removed) continue;
    const std::string path = task.tree.outside(path_of(ours[i].name));
    const Result<> back = replace_durably(path, path + ".new", ours[i].pem, 0644);
    out[i] = failed_step(path, back ? updated.error() : back.error());
  }
  return out;
}

}  // namespace lunar::cli
