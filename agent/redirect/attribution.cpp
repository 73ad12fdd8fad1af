#include "agent/redirect/attribution.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "agent/redirect/cgroup.h"

namespace lunar {

namespace {

constexpr uint64_t nanoseconds_per_second = 1'000'000'000;

std::string proc(uint32_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

std::string first_of(const std::string& file, char end) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  std::getline(in, text, end);
  return text;
}

// Field 22 of /proc/PID/stat counts from the last ')': the name before it may hold anything.
uint64_t start_ticks(uint32_t pid) {
  std::string line = first_of(proc(pid, "stat"), '\n');
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  constexpr int fields_before = 19;
  for (int i = 0; i < fields_before; ++i) fields >> skipped;
  uint64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

// False: the pid belongs to another process by now.
bool still_the_same(const Origin& origin) {
  if (origin.start_ns == 0) return true;
  const auto hz = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return start_ticks(origin.pid) == origin.start_ns / (nanoseconds_per_second / hz);
}

std::string link_target(const std::string& link) {
  std::array<char, 4096> target{};
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  std::string out(target.data(), size > 0 ? static_cast<size_t>(size) : 0);
  constexpr std::string_view deleted = " (deleted)";  // replaced by an upgrade while it runs
  if (out.ends_with(deleted)) out.resize(out.size() - deleted.size());
  return out;
}

}  // namespace

Attribution::Attribution(size_t capacity, ExeOf exe_of)
    : capacity_(std::max<size_t>(capacity, 1)), exe_of_(std::move(exe_of)) {
  if (auto mount = cgroup::mount_point()) cgroup_mount_ = std::move(*mount);
}

// By id rather than by pid: a program that makes one request and ends is gone before anybody asks for it.
const std::string& Attribution::cgroup_of(const Origin& origin) {
  if (const auto known = cgroups_.find(origin.cgroup_id); known != cgroups_.end()) return known->second;
  if (cgroups_.size() >= capacity_) cgroups_.clear();
  std::string path;
  if (!cgroup_mount_.empty()) path = cgroup::path_of_id(cgroup_mount_, origin.cgroup_id);
  return cgroups_.emplace(origin.cgroup_id, std::move(path)).first->second;
}

void Attribution::read_process(const Origin& origin, Process& out) const {
  Process seen = out;
  // The origin has the thread's name; the process's is what people know it by.
  if (std::string comm = first_of(proc(origin.pid, "comm"), '\n'); !comm.empty()) seen.comm = std::move(comm);
  seen.exe = link_target(proc(origin.pid, "exe"));
  if (seen.exe.empty() && exe_of_) seen.exe = exe_of_(origin.pid);
  if (seen.exe.empty()) {
    std::string started_by = first_of(proc(origin.pid, "cmdline"), '\0');
    if (started_by.starts_with('/')) seen.exe = std::move(started_by);
  }
  if (seen.cgroup.empty()) {
    if (auto path = cgroup::path_of_pid(origin.pid)) seen.cgroup = std::move(*path);
  }
  if (still_the_same(origin)) out = std::move(seen);
}

Process Attribution::read(const Origin& origin) {
  Process out{.pid = origin.pid,
              .uid = origin.uid,
              .comm = origin.comm.data(),
              .exe = {},
              .cgroup = origin.cgroup_id != 0 ? cgroup_of(origin) : std::string{},
              .unit = {},
              .container = {}};
  if (origin.pid != 0 && still_the_same(origin)) read_process(origin, out);
  out.unit = unit_of_cgroup(out.cgroup);
  out.container = container_of_cgroup(out.cgroup);
  return out;
}

const Process& Attribution::resolve(const Origin& origin) {
  const Key key{origin.pid, origin.start_ns != 0 ? origin.start_ns : start_ticks(origin.pid)};
  if (const auto found = index_.find(key); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().second;
  }
  entries_.emplace_front(key, read(origin));
  index_.emplace(key, entries_.begin());
  if (entries_.size() > capacity_) {
    index_.erase(entries_.back().first);
    entries_.pop_back();
  }
  return entries_.front().second;
}

}  // namespace lunar
