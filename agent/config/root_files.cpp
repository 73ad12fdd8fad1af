#include "agent/config/root_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "agent/config/config_folder.h"
#include "agent/config/durable_file.h"

namespace lunar {
namespace {

constexpr size_t largest_file = 64 << 20;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Hidden, so that nobody takes it for a part of the configuration.
std::string fresh_path(const std::string& path) {
  const size_t name = path.rfind('/') + 1;
  return path.substr(0, name) + "." + path.substr(name) + ".new";
}

// As somebody else may have set it: a file that is replaced stays its owner's and as readable as it was.
struct Present {
  uint32_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

std::optional<Present> present(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return Present{status.st_mode & 0777U, status.st_uid, status.st_gid};
}

class RootWriter {
 public:
  RootWriter(std::string root, const ConfigChange& change) : root_(std::move(root)), change_(change) {}

  // Everything that can fail for lack of space or rights, and that nobody sees.
  [[nodiscard]] Result<> prepare() {
    for (const auto& [part, files] : change_.parts) {
      for (const auto& [path, file] : files)
        if (auto prepared = prepare(root_ + "/" + path, file); !prepared) return prepared;
      for (const std::string& path : paths_of(root_, part))
        if (!files.contains(path)) gone_.insert(root_ + "/" + path);
    }
    return {};
  }

  [[nodiscard]] Result<> finish(bool& begun) {
    for (const std::string& path : changed_) {
      if (rename(fresh_path(path).c_str(), path.c_str()) != 0) return fail("cannot replace " + path, errno);
      begun = true;
      touched_.insert(folder_of(path));
    }
    for (const std::string& path : gone_) {
      if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail("cannot remove " + path, errno);
      begun = true;
      touched_.insert(folder_of(path));
    }
    for (const std::string& folder : touched_)
      if (auto synced = sync_folder(folder); !synced) return synced;
    return {};
  }

  void give_up() const {
    for (const std::string& path : changed_) unlink(fresh_path(path).c_str());
  }

 private:
  [[nodiscard]] Result<> prepare(const std::string& path, const ConfigFile& file) {
    if (auto made = make_folder(folder_of(path)); !made) return made;
    const auto before = present(path);
    if (auto text = read_whole_file(path, largest_file); text && text->text == file.text) {
      unlink(fresh_path(path).c_str());
      return {};
    }
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return fail(path + " is a folder; remove it", EISDIR);
    changed_.push_back(path);
    const std::string fresh = fresh_path(path);
    if (auto written = write_durably(fresh, file.text, before ? before->mode : file.mode); !written) return written;
    const bool foreign = before && (before->uid != geteuid() || before->gid != getegid());
    if (foreign && chown(fresh.c_str(), before->uid, before->gid) != 0) return fail("cannot give away " + fresh, errno);
    return {};
  }

  std::string root_;
  const ConfigChange& change_;
  std::vector<std::string> changed_;
  std::set<std::string> gone_, touched_;
};

}  // namespace

std::set<std::string> paths_of(const std::string& root, ConfigPart part) {
  struct stat status{};
  const std::string path = part_path(part);
  if (is_folder(part)) return yaml_files(root, path, part == ConfigPart::path_params);
  if (lstat((root + "/" + path).c_str(), &status) != 0) return {};
  return {path};
}

Result<ConfigChange> read_parts(const std::string& root) {
  ConfigChange out;
  for (const ConfigPart part : config_parts) {
    ConfigFiles& files = out.parts[part];
    for (const std::string& path : paths_of(root, part)) {
      std::string whole = root;
      auto file = read_whole_file(whole.append("/").append(path), largest_file);
      if (!file && file.error().os_error == ENOENT) continue;  // a link to nowhere
      if (!file) return std::unexpected(file.error());
      files.emplace(path, ConfigFile{.text = std::move(file->text), .mode = file->mode});
    }
  }
  return out;
}

Result<> write_parts(const std::string& root, const ConfigChange& change, bool& begun) {
  RootWriter writer(root, change);
  if (auto prepared = writer.prepare(); !prepared) {
    writer.give_up();
    return prepared;
  }
  return writer.finish(begun);
}

Result<> make_folder(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (auto above = make_folder(folder_of(path)); !above) return above;
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail("cannot create " + path, errno);
  chmod(path.c_str(), 0755);
  return sync_folder(folder_of(path));
}

}  // namespace lunar
