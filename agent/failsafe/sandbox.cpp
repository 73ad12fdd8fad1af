#include "agent/failsafe/sandbox.h"

#include "agent/failsafe/landlock.h"
#include "agent/failsafe/syscall_filter.h"

namespace lunar {

Result<std::vector<std::string>> sandbox(const SandboxNeeds& needs) {
  std::vector<std::string> weakened;
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
  for (const std::string& folder : needs.write_folders) {
    if (!folder.empty()) view.write.push_back(folder);
  }
  auto files = confine_files(view);
  if (!files) return std::unexpected(files.error());
  if (!*files)
    weakened.emplace_back("this kernel has no Landlock: the gateway process sees all files that its user sees");
  if (auto filtered = confine_syscalls(); !filtered) return std::unexpected(filtered.error());
  return weakened;
}

}  // namespace lunar
