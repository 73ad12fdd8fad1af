#include "cli/machine.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/own_cgroup.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Check check_kernel(const std::string& release) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2)
    return {"kernel", Level::warning, "unknown version " + release, ""};
  if (major > 6 || (major == 6 && minor >= 1)) return {"kernel", Level::ok, release, ""};
  return {"kernel", Level::error, release + " is too old for the gateway", "use Linux 6.1 or later"};
}

Check check_io_uring(const std::string& root) {
  const std::string disabled = content(root + "/proc/sys/kernel/io_uring_disabled");
  if (disabled == "2")
    return {"io_uring", Level::error, "switched off for everybody", "sysctl -w kernel.io_uring_disabled=0"};
  if (disabled == "1") {
    return {"io_uring", Level::error, "only for a group that the gateway is not in",
            "sysctl -w kernel.io_uring_disabled=0, or put the user lunar into kernel.io_uring_group"};
  }
  return {"io_uring", Level::ok, "available", ""};
}

Check check_cgroup(const std::string& root) {
  const std::string mount = cgroup2_mount(content(root + "/proc/self/mountinfo"));
  if (!mount.empty()) return {"cgroup2", Level::ok, "mounted at " + mount, ""};
  return {"cgroup2", Level::error, "no cgroup2 hierarchy is mounted", "mount -t cgroup2 none /sys/fs/cgroup/unified"};
}

Check check_bpf_jit(const std::string& root) {
  const std::string enabled = content(root + "/proc/sys/net/core/bpf_jit_enable");
  if (enabled == "0")
    return {"BPF JIT", Level::warning, "off: each connect costs more", "sysctl -w net.core.bpf_jit_enable=1"};
  return {"BPF JIT", Level::ok, "on", ""};
}

Check check_config(const std::string& root, const std::string& config_dir) {
  const fs::path file = root + config_dir + "/lunard.yaml";
  std::error_code error;
  if (fs::exists(file, error)) return {"configuration", Level::ok, config_dir + "/lunard.yaml", ""};
  return {"configuration", Level::ok, config_dir + "/lunard.yaml is absent: defaults hold", ""};
}

}  // namespace

std::vector<Check> check_machine(const std::string& root, const std::string& kernel_release,
                                 const std::string& config_dir) {
  return {check_kernel(kernel_release), check_io_uring(root), check_cgroup(root), check_bpf_jit(root),
          check_config(root, config_dir)};
}

}  // namespace lunar::cli
