#include "agent/failsafe/sandbox.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "agent/failsafe/landlock.h"
#include "agent/failsafe/syscall_filter.h"

namespace lunar {
namespace {

namespace fs = std::filesystem;

// As Landlock sees it: without links. Parts that are not there stay as they are written.
fs::path real_path(const std::string& path) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(path, error);
  return error ? fs::path(path) : out;
}

bool lies_in(const fs::path& folder, const fs::path& path) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

}  // namespace

bool Confinement::may_write_in(const std::string& folder) const {
  if (!write_folders) return true;
  const fs::path path = real_path(folder);
  return std::ranges::any_of(*write_folders, [&path](const std::string& one) { return lies_in(one, path); });
}

Result<Confinement> sandbox(const SandboxNeeds& needs) {
  Confinement out;
  FileView view;
  // Name resolution, certificates, attribution (/proc, and cgroup names below /sys), and entropy.
  view.read = {"/etc",
               "/usr",
               "/lib",
               "/lib64",
               "/proc",
               "/sys",
               "/run/systemd",
               "/run/nscd",
               "/run/resolvconf",
               "/run/NetworkManager",
               "/dev/urandom",
               "/dev/random",
               "/var/lib/ca-certificates",
               needs.config_dir};
  view.write = {"/dev/null"};
  std::vector<std::string> folders;
  for (const std::string& folder : needs.write_folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;  // a right is for what is there
    view.write.push_back(folder);
    folders.push_back(real_path(folder));
  }
  auto files = confine_files(view);
  if (!files) return std::unexpected(files.error());
  if (*files) {
    out.write_folders = std::move(folders);
  } else {
    out.weakened.emplace_back("this kernel has no Landlock: the gateway process sees all files that its user sees");
  }
  if (auto filtered = confine_syscalls(); !filtered) return std::unexpected(filtered.error());
  return out;
}

}  // namespace lunar
