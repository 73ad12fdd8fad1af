#include "agent/redirect/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lunar::cgroup {

namespace {

namespace fs = std::filesystem;

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape_octal(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const bool escaped = text[i] == '\\' && i + 3 < text.size() &&
                         std::from_chars(&text[i + 1], &text[i + 1] + 3, code, 8).ec == std::errc{};
    if (escaped) i += 3;
    out += escaped ? static_cast<char>(code) : text[i];
  }
  return out;
}

Result<std::string> path_from(const std::string& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return fail("no cgroup v2 entry in " + file + (in.eof() ? "" : " (the process is gone?)"), ENOENT);
}

}  // namespace

Result<std::string> mount_point() {
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t separator = line.find(" - cgroup2 ");
    if (separator == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device, root, mount;
    fields >> id >> parent >> device >> root >> mount;
    return unescape_octal(mount);
  }
  return fail("no cgroup2 file system is mounted; mount -t cgroup2 none /sys/fs/cgroup/unified", ENOENT);
}

Result<std::string> path_of_pid(uint32_t pid) { return path_from("/proc/" + std::to_string(pid) + "/cgroup"); }

Result<std::string> own_path() { return path_from("/proc/self/cgroup"); }

// The kernel's 64-bit cgroup id is the number in the directory's file handle.
Result<uint64_t> id_of(const std::string& directory) {
  struct {
    file_handle handle;
    unsigned char room[MAX_HANDLE_SZ];
  } answer{};
  answer.handle.handle_bytes = sizeof answer.room;
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, directory.c_str(), &answer.handle, &mount_id, 0) != 0)
    return fail("cannot identify the cgroup " + directory, errno);
  uint64_t id = 0;
  if (answer.handle.handle_bytes < sizeof id) return fail(directory + " is not on cgroup2", EINVAL);
  std::memcpy(&id, answer.handle.f_handle, sizeof id);
  return id;
}

// cgroup2 gives its directories the id as inode number; asking for that needs no right that a gateway lacks.
std::string path_of_id(const std::string& mount, uint64_t id) {
  const auto is_it = [id](const fs::path& directory) {
    struct stat found{};
    return stat(directory.c_str(), &found) == 0 && found.st_ino == id;
  };
  if (is_it(mount)) return "/";
  std::error_code error;
  for (fs::recursive_directory_iterator it(mount, error), end; !error && it != end; it.increment(error))
    if (it->is_directory(error) && is_it(it->path())) return it->path().string().substr(mount.size());
  return {};
}

unsigned level_of(std::string_view path) {
  unsigned level = 0;
  for (size_t i = 0; i < path.size(); ++i)
    if (path[i] != '/' && (i == 0 || path[i - 1] == '/')) ++level;
  return level;
}

// The root cgroup alone has no type.
bool shows_whole_tree(const std::string& mount) { return !fs::exists(mount + "/cgroup.type"); }

std::vector<uint32_t> pids_below(const std::string& directory) {
  std::vector<uint32_t> pids;
  const auto read = [&pids](const fs::path& cgroup) {
    std::ifstream in(cgroup / "cgroup.procs");
    for (uint32_t pid = 0; in >> pid;)
      if (pid != 0) pids.push_back(pid);  // 0: a process of an outer pid namespace
  };
  read(directory);
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->is_directory(error)) read(it->path());
  return pids;
}

bool populated(const std::string& directory) {
  std::ifstream in(directory + "/cgroup.events");
  for (std::string line; std::getline(in, line);)
    if (line == "populated 1") return true;
  return false;
}

}  // namespace lunar::cgroup
