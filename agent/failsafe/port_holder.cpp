#include "agent/failsafe/port_holder.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace lunar {
namespace {

// Columns of proc(5) /proc/net/tcp: number, local, remote, state, queues, timer, retransmissions, uid, timeout, inode.
std::string inode_of_listener(const char* table, uint16_t port) {
  std::ifstream lines(table);
  const std::string wanted = fmt::format(":{:04X}", port);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream columns(line);
    std::string number, local, remote, state, queues, timer, retransmissions, uid, timeout, inode;
    columns >> number >> local >> remote >> state >> queues >> timer >> retransmissions >> uid >> timeout >> inode;
    if (local.ends_with(wanted) && state == "0A") return inode;
  }
  return "";
}

bool has_descriptor(const std::filesystem::path& process, const std::string& target) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(process / "fd", error)) {
    if (std::filesystem::read_symlink(entry.path(), error) == target) return true;
  }
  return false;
}

}  // namespace

std::string holder_of_port(uint16_t port) {
  std::string inode = inode_of_listener("/proc/net/tcp", port);
  if (inode.empty()) inode = inode_of_listener("/proc/net/tcp6", port);
  if (inode.empty()) return "";
  const std::string target = "socket:[" + inode + "]";
  std::error_code error;
  for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !has_descriptor(process.path(), target)) continue;
    std::string name;
    std::getline(std::ifstream(process.path() / "comm") >> std::ws, name);
    return fmt::format("{} (pid {})", name, pid);
  }
  return "a process that cannot be seen";
}

}  // namespace lunar
