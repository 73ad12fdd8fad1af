#include "cli/trust_unit.h"

#include <fnmatch.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include "agent/config/durable_file.h"

namespace lunar::cli {
namespace {

constexpr const char* own_folder = "/etc/systemd/system";
constexpr const char* own_name = "50-lunar-ca.conf";

// systemd.unit(5): earlier ones hide files of the same name in later ones.
constexpr std::array<const char*, 11> unit_folders{"/etc/systemd/system.control",
                                                   "/run/systemd/system.control",
                                                   "/run/systemd/transient",
                                                   "/run/systemd/generator.early",
                                                   own_folder,
                                                   "/run/systemd/system",
                                                   "/run/systemd/generator",
                                                   "/usr/local/lib/systemd/system",
                                                   "/usr/lib/systemd/system",
                                                   "/lib/systemd/system",
                                                   "/run/systemd/generator.late"};

// shop@1.service is made of shop@.service.
std::string template_of(const std::string& unit) {
  const size_t at = unit.find('@');
  return at == std::string::npos ? "" : unit.substr(0, at + 1) + unit.substr(unit.rfind('.'));
}

// The names whose .d folders count: the unit, its template, a-b-.service and a-.service of a-b-c.service, and service.
std::vector<std::string> dropin_owners(const std::string& unit) {
  std::vector<std::string> out{unit};
  if (const std::string name = template_of(unit); !name.empty()) out.push_back(name);
  const size_t suffix = unit.rfind('.');
  for (size_t dash = unit.rfind('-', suffix - 1); dash != std::string::npos && dash > 0;
       dash = unit.rfind('-', dash - 1))
    out.push_back(unit.substr(0, dash + 1) + unit.substr(suffix));
  out.push_back(unit.substr(suffix + 1));
  return out;
}

Result<> make_folder(const std::string& path) {
  std::error_code failed;
  const bool made = std::filesystem::create_directories(path, failed);
  if (failed) return fail("cannot create " + path, failed.value());
  return made ? sync_folder(path.substr(0, path.rfind('/'))) : Result<>();
}

// The first one in the order of the folders; empty: there is none.
std::string unit_file(const FileTree& tree, const std::string& unit) {
  for (const std::string& name : {unit, template_of(unit)}) {
    for (const char* folder : unit_folders) {
      std::string path = below(folder, name);
      if (!name.empty() && tree.place(path)) return path;
    }
  }
  return {};
}

// Paths by file name, which is also the order in which they are read. Without ours.
std::map<std::string, std::string> dropins_of(const FileTree& tree, const std::string& unit) {
  std::map<std::string, std::string> out;
  for (const std::string& owner : dropin_owners(unit)) {
    for (const char* base : unit_folders) {
      const std::string folder = below(base, owner) + ".d";
      for (const std::string& name : tree.names(folder))
        if (name.ends_with(".conf") && below(folder, name) != dropin_path(unit)) out.emplace(name, below(folder, name));
    }
  }
  return out;
}

}  // namespace

std::string dropin_path(const std::string& unit) { return std::string(own_folder) + "/" + unit + ".d/" + own_name; }

std::vector<UnitFile> unit_files(const FileTree& tree, const std::string& unit, const std::string& dropin) {
  const std::string file = unit_file(tree, unit);
  if (file.empty()) return {};
  std::map<std::string, std::string> dropins = dropins_of(tree, unit);
  if (!dropin.empty()) dropins[own_name] = dropin_path(unit);
  std::vector<UnitFile> out{{file, tree.read(file).value_or("")}};  // one that is masked is no regular file
  for (const auto& [name, path] : dropins)
    out.push_back({path, path == dropin_path(unit) ? dropin : tree.read(path).value_or("")});
  return out;
}

std::map<std::string, std::string, std::less<>> variables_of_files(const FileTree& tree, const UnitEnvironment& unit) {
  std::map<std::string, std::string, std::less<>> out;
  for (const auto& [given, owner] : unit.files) {
    const std::string pattern = given.substr(given.starts_with('-') ? 1 : 0);
    const size_t slash = pattern.rfind('/');
    if (slash == std::string::npos) continue;
    const std::string folder = pattern.substr(0, slash + 1);
    for (const std::string& name : tree.names(folder)) {
      if (::fnmatch(pattern.c_str() + slash + 1, name.c_str(), FNM_PERIOD) != 0) continue;
      for (const std::string& variable : names_in_environment_file(tree.read(folder + name).value_or("")))
        out[variable] = folder + name;
    }
  }
  return out;
}

Result<bool> write_dropin(const FileTree& tree, const std::string& unit, const std::string& text) {
  if (tree.read(dropin_path(unit)).value_or("") == text) return false;
  const std::string path = tree.outside(dropin_path(unit));
  if (auto made = make_folder(path.substr(0, path.rfind('/'))); !made) return std::unexpected(made.error());
  if (auto written = replace_durably(path, path + ".new", text, 0644); !written)
    return std::unexpected(written.error());
  return true;
}

Result<bool> remove_dropin(const FileTree& tree, const std::string& unit) {
  const std::string path = tree.outside(dropin_path(unit));
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail("cannot remove " + path, errno);
  }
  const std::string folder = path.substr(0, path.rfind('/'));
  ::rmdir(folder.c_str());  // stays if it has files of others
  if (auto synced = sync_folder(folder.substr(0, folder.rfind('/'))); !synced) return std::unexpected(synced.error());
  return true;
}

}  // namespace lunar::cli
