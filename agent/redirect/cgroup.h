// cgroup2 as a tree of directories: where it is mounted, and what a path stands for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/result.h"

namespace lunar::cgroup {

[[nodiscard]] Result<std::string> mount_point();              // of cgroup2, from /proc/self/mountinfo
[[nodiscard]] Result<std::string> path_of_pid(uint32_t pid);  // below the mount, "/" for the root
[[nodiscard]] Result<std::string> own_path();
[[nodiscard]] Result<uint64_t> id_of(const std::string& directory);
// Below the mount; walks the tree until it meets the cgroup. "" when it has been removed.
[[nodiscard]] std::string path_of_id(const std::string& mount, uint64_t id);
[[nodiscard]] unsigned level_of(std::string_view path);  // "/" 0, "/a.slice" 1
// Whether the mount shows the root of all cgroups, so that levels below it are those that the kernel counts. In a
// cgroup namespace they are not.
[[nodiscard]] bool shows_whole_tree(const std::string& mount);
[[nodiscard]] std::vector<uint32_t> pids_below(const std::string& directory);  // including descendants
[[nodiscard]] bool populated(const std::string& directory);

}  // namespace lunar::cgroup
