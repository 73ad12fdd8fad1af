#include "agent/failsafe/own_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "agent/base/fd.h"
#include "agent/redirect/cgroup.h"

namespace lunar {
namespace {

constexpr std::string_view kPrefix = "lunard-";

Result<> move_into(const std::string& directory) {
  const Fd processes(open((directory + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!processes || write(processes.get(), "0", 1) != 1) return fail("cannot move into the cgroup " + directory, errno);
  return {};
}

// The variable is inherited by all that a service starts, but it names only its main process.
bool started_by_systemd() {
  const char* pid = getenv("SYSTEMD_EXEC_PID");
  return pid != nullptr && std::to_string(getpid()) == pid;
}

// What a killed predecessor left; the kernel refuses where a process still lives in it.
void sweep(const std::string& parent) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    if (entry.path().filename().string().starts_with(kPrefix)) rmdir(entry.path().c_str());
  }
}

}  // namespace

Result<OwnCgroup> OwnCgroup::enter() {
  auto mount = cgroup::mount_point();
  if (!mount) return std::unexpected(mount.error());
  auto path = cgroup::own_path();
  if (!path) return std::unexpected(path.error());
  if (started_by_systemd()) return OwnCgroup(*mount, *path);
  const std::string parent = *mount + *path;
  sweep(parent);
  OwnCgroup own(*mount, (*path == "/" ? "" : *path) + "/" + std::string(kPrefix) + std::to_string(getpid()));
  if (mkdir(own.directory().c_str(), 0755) != 0 && errno != EEXIST)
    return fail("cannot create the cgroup " + own.directory(), errno);
  own.parent_ = parent;
  if (auto moved = move_into(own.directory()); !moved) return std::unexpected(moved.error());
  return own;
}

OwnCgroup::~OwnCgroup() {
  if (parent_.empty()) return;
  if (move_into(parent_)) rmdir(directory().c_str());
}

}  // namespace lunar
