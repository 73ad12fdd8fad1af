#include "cli/runtimes_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "cli/own_cgroup.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view deleted_mark = " (deleted)";  // behind the name of a file that was replaced meanwhile
constexpr size_t shortest_container_id = 8;

std::string without_mark(std::string path) {
  if (path.ends_with(deleted_mark)) path.resize(path.size() - deleted_mark.size());
  return path;
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

Result<std::string> link_target(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return fail("cannot read " + path, errno);
  return std::string(target.data(), static_cast<size_t>(length));
}

Result<std::string> content(const std::string& path) {
  const OpenFile file(std::fopen(path.c_str(), "rbe"));
  if (!file) return fail("cannot read " + path, errno);
  std::string out;
  std::array<char, 65536> piece;
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), file.get())) out.append(piece.data(), count);
  if (std::ferror(file.get()) != 0) return fail("cannot read " + path, errno);
  return out;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, separator);) out.push_back(part);
  return out;
}

// "7f.. r-xp 0000 08:01 42    /usr/lib/x.so"
std::vector<std::string> mapped_files(const std::string& maps) {
  std::set<std::string> out;
  for (const std::string& line : split(maps, '\n')) {
    const size_t path = line.find(" /");
    if (path != std::string::npos) out.insert(without_mark(line.substr(path + 1)));
  }
  return {out.begin(), out.end()};
}

// The innermost one that is a service.
std::string unit_of(const std::string& cgroups) {
  std::string out;
  for (const std::string& part : split(cgroup2_path(cgroups), '/'))
    if (part.ends_with(".service")) out = part;
  return out;
}

// Field 22 of /proc/PID/stat, in ticks since the machine began (proc(5)). The name before it may have anything in it.
std::time_t began(const std::string& stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  const std::vector<std::string> fields = split(stat.substr(name_end), ' ');
  constexpr size_t start_time = 20;  // counted from the name
  const std::string machine = content("/proc/stat").value_or("");
  const size_t boot = machine.find("btime ");
  const long ticks = ::sysconf(_SC_CLK_TCK);
  if (fields.size() <= start_time || boot == std::string::npos || ticks <= 0) return 0;
  return std::atol(machine.c_str() + boot + 6) + std::atol(fields[start_time].c_str()) / ticks;
}

bool is_other_root(const std::string& folder) {
  struct stat own{};
  struct stat its{};
  if (::stat("/", &own) != 0 || ::stat((folder + "/root/").c_str(), &its) != 0) return false;
  return own.st_dev != its.st_dev || own.st_ino != its.st_ino;
}

bool is_container_id(const std::string& text) {
  return text.size() >= shortest_container_id && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void add_processes(std::set<uint32_t>& out, const fs::path& cgroup) {
  for (const std::string& line : split(content(cgroup / "cgroup.procs").value_or(""), '\n')) {
    uint32_t pid = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc{} && pid > 0) out.insert(pid);
  }
}

void add_processes_below(std::set<uint32_t>& out, const fs::path& cgroup) {
  add_processes(out, cgroup);
  std::error_code ended;
  for (fs::recursive_directory_iterator entry(cgroup, ended), end; !ended && entry != end; entry.increment(ended)) {
    std::error_code unreadable;
    if (entry->is_directory(unreadable)) add_processes(out, entry->path());
  }
}

}  // namespace

std::string Process::name() const { return last_part(executable); }

std::string Process::variable(std::string_view name) const {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string Process::mapped_library(std::string_view prefix) const {
  const auto found = std::ranges::find_if(
      libraries, [prefix](const std::string& path) { return last_part(path).starts_with(prefix); });
  return found == libraries.end() ? "" : *found;
}

std::string Process::absolute(const std::string& path) const {
  return path.starts_with('/') ? path : folder + "/" + path;
}

Result<Process> look_at_process(uint32_t pid) {
  const std::string place = "/proc/" + std::to_string(pid);
  const auto executable = link_target(place + "/exe");
  if (!executable) return std::unexpected(executable.error());
  const auto arguments = content(place + "/cmdline");
  const auto environment = content(place + "/environ");
  const auto maps = content(place + "/maps");
  for (const auto* text : {&arguments, &environment, &maps})
    if (!*text) return std::unexpected(text->error());
  Process out{.pid = pid,
              .executable = without_mark(*executable),
              .folder = link_target(place + "/cwd").value_or("/"),
              .arguments = split(*arguments, '\0'),
              .libraries = mapped_files(*maps),
              .unit = unit_of(content(place + "/cgroup").value_or("")),
              .began = began(content(place + "/stat").value_or("")),
              .in_container = is_other_root(place)};
  for (const std::string& entry : split(*environment, '\0')) {
    const size_t sign = entry.find('=');
    if (sign != std::string::npos) out.environment.emplace(entry.substr(0, sign), entry.substr(sign + 1));
  }
  const OpenFile program(std::fopen((place + "/exe").c_str(), "rbe"));
  out.is_go = program && has_elf_section(program.get(), ".go.buildinfo");
  return out;
}

std::vector<uint32_t> processes_of(const std::string& target) {
  const std::string mount = cgroup2_mount(content("/proc/self/mountinfo").value_or(""));
  std::set<uint32_t> out;
  if (mount.empty()) return {};
  if (target.starts_with('/')) {
    const bool whole = target.starts_with(mount + "/");
    add_processes_below(out, whole ? target : mount + target);
    return {out.begin(), out.end()};
  }
  std::error_code ended;
  for (fs::recursive_directory_iterator entry(mount, ended), end; !ended && entry != end; entry.increment(ended)) {
    const std::string name = entry->path().filename();
    const bool container = is_container_id(target) && name.find(target) != std::string::npos;
    std::error_code unreadable;
    if ((name == target || container) && entry->is_directory(unreadable)) add_processes_below(out, entry->path());
  }
  return {out.begin(), out.end()};
}

}  // namespace lunar::cli
