#include "cli/own_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace lunar::cli {
namespace {

constexpr int kMoves = 10;  // a process that forks meanwhile is caught by the next turn

std::string content(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<> write_pid(const std::string& cgroup, const std::string& pid) {
  const std::string path = cgroup + "/cgroup.procs";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t count = fd < 0 ? -1 : ::write(fd, pid.data(), pid.size());
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (count == static_cast<ssize_t>(pid.size())) return {};
  return fail("cannot move a process to " + cgroup + ": " + std::strerror(error), error);
}

// Mount points are escaped in octal: a space is \040.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string cgroup2_mount(std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    const size_t separator = line.find(" - ");
    if (separator == std::string::npos || line.compare(separator + 3, 8, "cgroup2 ") != 0) continue;
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string mount_point;
    words >> id >> parent >> device >> root >> mount_point;
    if (root == "/") return unescaped(mount_point);
  }
  return {};
}

std::string cgroup2_path(std::string_view cgroups) {
  std::istringstream lines{std::string(cgroups)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return {};
}

Result<std::unique_ptr<OwnCgroup>> OwnCgroup::create() {
  const std::string mount = cgroup2_mount(content("/proc/self/mountinfo"));
  const std::string own = cgroup2_path(content("/proc/self/cgroup"));
  if (mount.empty() || own.empty()) {
    return fail("no cgroup2 hierarchy is mounted here; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified");
  }
  const std::string parent = own == "/" ? mount : mount + own;
  std::string path = parent + "/lunar-run-" + std::to_string(::getpid());
  if (::mkdir(path.c_str(), 0755) != 0) {
    const int error = errno;
    const bool refused = error == EACCES || error == EPERM || error == EROFS;
    return fail("cannot create the cgroup " + path + ": " + std::strerror(error) +
                    (refused ? "; run as root, for example `sudo lunarctl run ...`: the command runs as you" : ""),
                refused ? EACCES : error);
  }
  return std::unique_ptr<OwnCgroup>(new OwnCgroup(parent, std::move(path)));
}

Result<> OwnCgroup::add(pid_t process) const { return write_pid(path_, std::to_string(process)); }

OwnCgroup::~OwnCgroup() {
  for (int i = 0; i < kMoves && ::rmdir(path_.c_str()) != 0 && errno == EBUSY; ++i) {
    std::ifstream processes(path_ + "/cgroup.procs");
    for (std::string pid; std::getline(processes, pid);) {
      if (const Result<> moved = write_pid(parent_, pid); !moved) break;  // it has ended meanwhile: look again
    }
  }
}

}  // namespace lunar::cli
